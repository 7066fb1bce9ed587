"""Names that lead out of their folder: in a manifest that no spec was behind, in a result, and as links in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gpujob import JobStore, MemoryBucket
from gpujob.chance import nonce, system_random
from gpujob.errors import GpujobError, UnsafeName
from gpujob.records import Artifact, InputFile, Manifest, Result
from gpujob_worker.executor import Executor, JobContext, Outcome
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.worker import Limits, Worker

from .objects import ESCAPES

OUTSIDE = [
    "../x",
    "/etc/passwd",
    "a/../../x",
    "..",
    "",
    "a//b",
    "a\\..\\b",
    "C:x",
    "a\0b",
    "a\nb",
    "\x1b[2J",
    "x" * 600,
]


class Maker(Executor):
    """Does what the test wants with its job."""

    kinds: ClassVar[tuple[str, ...]] = ("test.make",)

    def __init__(self, make: Callable[[JobContext], None]) -> None:
        self.make = make

    def run(self, job: JobContext) -> Outcome:
        self.make(job)
        return Outcome({})


class Narrator(Executor):
    """Stands for an executor whose inputs name files: it must never be run with a name that leads out."""

    kinds: ClassVar[tuple[str, ...]] = ("tts.narrate", "video.encode", "image.generate", "chat.complete")
    ran = False

    def run(self, job: JobContext) -> Outcome:
        self.ran = True
        return Outcome({})


def done(executor: Executor, *, kind: str, input: dict[str, Any], overlap: bool = False, **more: Any) -> Result:
    """The result of a job whose manifest was written straight into the bucket."""
    store = JobStore(MemoryBucket())
    spec = {"kind": kind, "input": input}
    manifest = Manifest(
        id=store.new_id(),
        kind=kind,
        spec=spec,
        spec_sha256="0" * 64,
        created_at=1.0,
        nonce=nonce(system_random()),
        **more,
    )
    store.submit_manifest(manifest)
    limits = Limits(max_jobs=1)
    Worker(
        store, [executor], worker_id="w", limits=limits, presence_every_s=None, sweep_every_s=None, overlap=overlap
    ).run()
    return store.wait(manifest.id)


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("tts.narrate", lambda name: {"steps": [{"id": name, "narration": "hello"}]}),
        ("tts.narrate", lambda name: {"steps": [{"id": "a", "narration": "hello", "voice": f"{name}/af"}]}),
        ("video.encode", lambda name: {"operations": [{"op": "encode", "input": name, "output": "a.mp4"}]}),
        ("video.encode", lambda name: {"operations": [{"op": "encode", "input": "a.mov", "output": name}]}),
    ],
    ids=["step id", "voice", "input", "output"],
)
def test_a_manifest_without_a_spec_behind_it_never_reaches_its_executor(
    kind: str, made: Callable[[str], dict[str, Any]], name: str
) -> None:
    if name == ".." and "steps" in made(name) and "voice" not in made(name)["steps"][0]:
        return  # a step's id is a part of its files' names: step-...wav stays where it should
    narrator = Narrator()
    result = done(narrator, kind=kind, input=made(name))
    assert result.error is not None and not narrator.ran
    assert (result.state, result.error.type, result.error.retryable) == ("failed", "invalid_input", False)


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_input_file_under_such_a_name_is_not_placed(name: str) -> None:
    files = (InputFile(name=name, sha256="0" * 64, size_bytes=1),)
    result = done(EchoExecutor(), kind="echo", input={"message": "hi"}, files=files)
    assert result.error is not None
    assert (result.error.type, result.error.retryable, result.attempt) == ("invalid_input", False, 1)


@pytest.mark.parametrize("name", OUTSIDE)
def test_an_artifact_under_such_a_name_is_neither_sent_nor_fetched(name: str, tmp_path: Path) -> None:
    def make(job: JobContext) -> None:
        path = job.workdir / "made"
        path.write_bytes(b"made")
        job.artifact(name, path, media_type="text/plain")

    result = done(Maker(make), kind="test.make", input={})
    assert result.state == "failed" and result.artifacts == ()
    key = f"artifacts/{result.id}/1-{'0' * 32}/x"
    artifact = Artifact(name=name, key=key, media_type="x", size_bytes=1, sha256="0" * 64)
    with pytest.raises(UnsafeName):
        JobStore(MemoryBucket()).download(result.model_copy(update={"artifacts": (artifact,)}), tmp_path / "out")
    assert not (tmp_path / "x").exists() and not list((tmp_path / "out").rglob("*"))


def planted(job: JobContext, how: str) -> Path:
    """A path in the working folder that leads, or could lead, somewhere else."""
    secret = job.workdir.parent.parent / f"secret-of-{job.id}"
    secret.mkdir()
    (secret / "file").write_bytes(b"secret")
    path = job.workdir / "made"
    if how == "a link to a file":
        path.symlink_to(secret / "file")
    elif how == "a link to a folder":
        path.symlink_to(secret)
        path = path / "file"
    elif how == "a link to itself":
        path.symlink_to(path)
    elif how == "a pipe":
        os.mkfifo(path)
    elif how == "a folder":
        path.mkdir()
    return path


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("how", ["a link to a file", "a link to a folder", "a link to itself", "a pipe", "a folder"])
def test_what_an_executor_made_is_no_way_out_of_its_folder(how: str, overlap: bool) -> None:
    """A job's data can plant a link where its result should be: what it leads to was read and uploaded."""

    def make(job: JobContext) -> None:
        job.artifact("made.txt", planted(job, how), media_type="text/plain")

    result = done(Maker(make), kind="test.make", input={}, overlap=overlap, retry={"max_attempts": 1})
    assert result.state == "failed" and result.artifacts == () and result.error is not None
    assert "made" in result.error.message


NONSENSE: list[dict[str, Any]] = [
    {"secrets": 5},
    {"secrets": [{}, []]},
    {"secrets": {"A": 1}},
    {"input": [1, 2]},
    {"input": "text"},
    {"cache": {"a": 1}},
    {"cache": []},
]


@pytest.mark.parametrize("nonsense", NONSENSE, ids=str)
def test_a_spec_of_the_wrong_shape_costs_its_job_and_no_worker(nonsense: dict[str, Any]) -> None:
    """`secrets: 5` in a manifest ended every worker that met it with a TypeError."""
    store = JobStore(MemoryBucket())
    spec = {"kind": "echo", "input": {"message": "hi"}} | nonsense
    for requires in ({}, {"gpu_memory": "much"}, {"gpu_memory": {}}, {"gpu_memory": 10**19}, {"\x1b": 1}):
        manifest = Manifest(
            id=store.new_id(),
            kind="echo",
            spec=spec,
            spec_sha256="0" * 64,
            requires=requires,
            created_at=1.0,
            nonce=nonce(system_random()),
        )
        store.submit_manifest(manifest)
    good = store.submit({"kind": "echo", "input": {"message": "good"}, "priority": "low"}).id
    limits = Limits(max_jobs=2)
    Worker(store, [EchoExecutor()], worker_id="w", limits=limits, presence_every_s=None, sweep_every_s=None).run()
    assert store.wait(good).state == "succeeded"


class Broken(Executor):
    """Reports what no lease can hold, or fails with what no record can."""

    kinds: ClassVar[tuple[str, ...]] = ("test.make",)

    def __init__(self, act: Callable[[JobContext], object]) -> None:
        self.act = act

    def run(self, job: JobContext) -> Outcome:
        said = self.act(job)
        return Outcome({}, warnings=said if isinstance(said, list) else [])


def test_progress_without_end_or_number_is_still_a_lease_that_others_can_read() -> None:
    """A lease with `NaN` of progress was written as null, and every other party called it corrupt."""

    def act(job: JobContext) -> None:
        for done_, total in ((float("nan"), 1.0), (-5.0, float("inf")), (1e300, 1e300)):
            job.progress(done_, total, "half a character: \udcff", partial="\udcff")
        job.log("\udcff")

    result = done(Broken(act), kind="test.make", input={})
    assert result.state == "succeeded" and result.log_chunks == 1


def test_an_error_with_half_a_character_is_recorded() -> None:
    """The name of a file in no encoding, in an error's message, ended the worker instead of the attempt."""

    def act(job: JobContext) -> None:
        raise RuntimeError(f"cannot read {os.fsdecode(bytes([97, 255]))}")

    result = done(Broken(act), kind="test.make", input={}, retry={"max_attempts": 1})
    assert result.error is not None and result.error.message == "RuntimeError: cannot read a?"


def test_a_result_that_nobody_could_read_is_not_written() -> None:
    """A job of many files committed a result larger than any reader takes: it had ended, and nobody could tell how."""

    def act(job: JobContext) -> list[str]:
        for number in range(300):
            job.warn(f"{number}" + "w" * 8000)
        return ["w" * 8000] * 300

    result = done(Broken(act), kind="test.make", input={}, retry={"max_attempts": 1})
    assert result.error is not None and "larger than 2 MiB" in result.error.message
    assert len(result.warnings) == 100


def test_a_worker_id_is_checked_before_it_is_part_of_a_key() -> None:
    store = JobStore(MemoryBucket())
    for name in (*OUTSIDE, ESCAPES):
        with pytest.raises(GpujobError):
            store.command_worker(name, "drain")
