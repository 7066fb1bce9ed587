"""Nothing that comes from a bucket moves a cursor, sets a title, fills a clipboard or turns text around."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.folder import FolderBucket
from gpujob.chance import nonce, system_random
from gpujob.clock import SYSTEM
from gpujob.log_lines import CleanFormatter
from gpujob.records import Artifact, JobError, Lease, Manifest, PastAttempt, Presence, Progress, Result
from gpujob.settings import Terminal
from gpujob_cli.app import run
from gpujob_cli.output import Line, Output
from tests.acceptance.command_line import Person

from .objects import ESCAPES

KEPT = "[red]markup[/red]"


def shown(text: str) -> str:
    """The text, which must be plain: printable, but for the ends of lines."""
    bad = {one for one in text if one != "\n" and not one.isprintable()}
    assert not bad, (bad, text)
    return text


class Queue:
    """A folder store with one job of each state, every text of which is hostile."""

    def __init__(self, place: Path) -> None:
        self.url = place.as_uri()
        self.bucket = FolderBucket(place)
        self.store = JobStore(self.bucket)
        self.now = SYSTEM.now()
        self.pending = self._submit()
        self.running = self._lease(self._submit())
        self.failed = self._result(self._submit(), "failed")
        self.done = self._result(self._submit(), "succeeded")
        self._presence()

    def _submit(self) -> Manifest:
        spec = {"kind": "echo", "input": {"message": ESCAPES}}
        manifest = Manifest(
            id=self.store.new_id(),
            kind="echo",
            spec=spec,
            spec_sha256="0" * 64,
            title=ESCAPES,
            labels={ESCAPES: ESCAPES},
            submitted_by=ESCAPES,
            warnings=(ESCAPES,),
            created_at=self.now,
            nonce=nonce(system_random()),
        )
        return self.store.submit_manifest(manifest).manifest

    def _lease(self, manifest: Manifest) -> str:
        past = PastAttempt(attempt=1, epoch=1, worker=ESCAPES, ended="failed", at=self.now, message=ESCAPES)
        lease = Lease(
            id=manifest.id,
            manifest=manifest,
            state="run",
            worker=ESCAPES,
            nonce=nonce(system_random()),
            epoch=2,
            attempt=2,
            ttl_s=30,
            beat_s=10,
            progress=Progress(done=1, total=3, message=ESCAPES, partial=ESCAPES),
            expires_at=self.now + 1000,
            started_at=self.now,
            error=JobError(type="engine", message=ESCAPES, hint=ESCAPES, traceback=ESCAPES),
            history=(past,),
        )
        self.bucket.create(keys.leased(manifest.id), lease.body())
        self.bucket.create(keys.log_chunk(keys.attempt_prefix(manifest.id, 2, lease.nonce), 0), ESCAPES.encode())
        return manifest.id

    def _result(self, manifest: Manifest, state: Any) -> str:
        drawn = nonce(system_random())
        error = JobError(type="engine", message=ESCAPES, hint=ESCAPES) if state == "failed" else None
        name = f"{ESCAPES}.txt"
        key = keys.attempt_prefix(manifest.id, 1, drawn) + name
        result = Result(
            id=manifest.id,
            kind="echo",
            name=ESCAPES,
            state=state,
            nonce=drawn,
            epoch=1,
            attempt=1,
            created_at=self.now,
            finished_at=self.now,
            worker={"id": ESCAPES, "gpu": ESCAPES},
            engine={"name": ESCAPES, "version": ESCAPES},
            output={"message": ESCAPES},
            warnings=(ESCAPES,),
            artifacts=(Artifact(name=name, key=key, media_type=ESCAPES, size_bytes=1, sha256="0" * 64),),
            log_chunks=1,
            error=error,
            manifest=manifest,
        )
        self.bucket.create(keys.done(manifest.id), result.body())
        self.bucket.create(keys.log_chunk(keys.attempt_prefix(manifest.id, 1, drawn), 0), ESCAPES.encode())
        return manifest.id

    def _presence(self) -> None:
        machine = {"gpu": ESCAPES, "gpu_memory": ESCAPES, "host": ESCAPES}
        presence = Presence(
            id="w-1",
            session="s",
            started_at=self.now,
            kinds=("echo", ESCAPES),
            machine=machine,
            warnings=(ESCAPES,),
            job=ESCAPES,
            models=(ESCAPES,),
        )
        self.bucket.create(keys.worker("w-1"), presence.body())

    def commands(self) -> list[list[str]]:
        """Command lines that show what is in the bucket."""
        found = [["ls"], ["worker", "ls"], ["fsck"], ["gc", "--dry-run"], ["worker", "drain", "w-1"]]
        for job_id in (self.pending.id, self.running, self.failed, self.done):
            found += [["show", job_id], ["logs", job_id]]
        for job_id in (self.failed, self.done):
            found += [["wait", job_id], ["get", job_id, "-o", "out"]]
        return [*found, ["wait", self.pending.id, "--timeout", "0.1s"], ["wait", self.running, "--timeout", "0.1s"]]


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return Queue(tmp_path / "store")


def test_every_command_shows_it_as_plain_text(hostile: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    seen = 0
    for command in hostile.commands():
        run([*command, "--store", hostile.url])
        said = capsys.readouterr()
        seen += KEPT in shown(said.out) + shown(said.err)
    assert seen >= 10


def test_json_escapes_it(hostile: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    for command in hostile.commands():
        run([*command, "--store", hostile.url, "--json"])
        said = capsys.readouterr()
        for line in shown(said.err).splitlines():
            json.loads(line)
        shown(said.out)
    run(["show", hostile.failed, "--store", hostile.url, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["title"], found["error"]["message"]) == (ESCAPES, ESCAPES)


def test_a_title_of_several_lines_forges_no_fact(hostile: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    run(["show", hostile.done, "--store", hostile.url])
    lines = capsys.readouterr().out.splitlines()
    first = [line for line in lines if line.strip() == KEPT]
    assert first and all(line.startswith(" " * 8) for line in first)


def test_a_bad_objects_key_is_plain_in_the_warning_that_it_is_skipped(
    hostile: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = hostile.store.new_id()
    hostile.bucket.create(keys.leased(job_id), json.dumps({"manifest": {"labels": {ESCAPES: 5}}}).encode())
    run(["ls", "--store", hostile.url])
    assert f"warning: skipped leased/{job_id}.json" in shown(capsys.readouterr().err)
    run(["ls", "--store", hostile.url, "--json"])
    warnings = [json.loads(line)["warning"] for line in capsys.readouterr().err.splitlines()]
    assert len(warnings) == 1 and warnings[0].startswith("skipped leased/")


class Tty(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


def test_a_moving_line_on_a_terminal_carries_none_of_it() -> None:
    screen = Tty()
    out = Output(stderr=screen, stdout=screen, wishes=Terminal(color=True, dumb=False))
    out.status(Line(ESCAPES, fraction=0.5, left=ESCAPES, growing=ESCAPES * 3))
    out.close()
    out.say(ESCAPES, style="good")
    out.warn(ESCAPES)
    out.table([[ESCAPES, ESCAPES]], header=["A", "B"])
    text = screen.getvalue()
    assert KEPT in text
    for sequence in ("\x1b]", "\x07", "\x9b", "\u202e", "\x1b[31mred", "\r\n"):
        assert sequence not in text, repr(sequence)


def test_the_log_of_a_worker_is_lines_of_plain_text() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(CleanFormatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    log = logging.getLogger("a log of this test")
    log.propagate = False
    log.addHandler(handler)
    log.warning("attempt of %s failed: %s", "job", f"{ESCAPES}\n12:00:00 succeeded")
    try:
        raise ValueError(ESCAPES)
    except ValueError:
        log.exception("it failed: %s", ESCAPES)
    lines = shown(stream.getvalue()).splitlines()
    assert lines[0].endswith("succeeded") and "Traceback" in lines[2]


def test_the_worker_itself_says_it_plainly(hostile: Queue, tmp_path: Path) -> None:
    hostile.bucket.create(
        keys.pending("high", job_id := hostile.store.new_id(), "echo"), json.dumps({ESCAPES: ESCAPES}).encode()
    )
    done = Person(tmp_path / "person").run("worker", "run", "--once", "--kinds", "echo", "--store", hostile.url)
    assert done.code == 0
    assert f"skipped pending/1/{job_id}.echo.json" in shown(done.err)
    result = hostile.store.result(hostile.pending.id)
    assert result is not None and result.state == "succeeded"
