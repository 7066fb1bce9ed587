"""A real Ollama daemon answers with a small real model. What it says is not judged; its form, counts and ends are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gpujob import open_store
from gpujob.errors import JobCancelled, JobFailed
from gpujob.specs import parse_object
from gpujob_worker import Limits, Worker
from gpujob_worker.chat import daemon
from gpujob_worker.chat.client import Client
from gpujob_worker.chat.fetching import Rules
from gpujob_worker.executors.chat import ChatExecutor
from tests.acceptance import model_registry
from tests.acceptance.command_line import Person
from tests.acceptance.ollama_home import MODEL, create_model, home, look_until, program, seen_to_end
from tests.fake_job import FakeJob, unheard

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
BRIEF = {"temperature": 0, "seed": 1, "num_predict": 24}
ENDLESS = {"temperature": 0, "num_predict": 100_000}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The model folder of a home that has the small model."""
    ollama = program()
    with home(tmp_path_factory.mktemp("ollama")) as folder:
        first = daemon.start(ollama, lambda: None)
        create_model(first.url)
        first.stop()
        yield folder


@pytest.fixture(scope="module")
def executor(models: Path) -> Iterator[ChatExecutor]:
    """One that has started its daemon: whichever test comes first on this process may ask for its address."""
    executor = ChatExecutor(program=program(), rules=Rules())
    executor.load({"model": MODEL}, unheard)
    yield executor
    executor.close()


def chat_job(folder: Path, **given: Any) -> FakeJob:
    given = {"model": MODEL, "prompt": "Say hello to Ada.", "options": BRIEF, **given}
    job = FakeJob(folder, parse_object({"kind": "chat.complete", "input": given}).canonical()["input"])
    job.kind = "chat.complete"
    return job


def test_a_daemon_is_started_and_has_its_model_in_memory(models: Path) -> None:
    executor = ChatExecutor(program=program(), rules=Rules())
    readiness = executor.readiness()
    assert readiness.ready, readiness
    heard: list[str] = []
    try:
        assert executor.load({"model": MODEL}, lambda done, total, message: heard.append(message)) == (MODEL,)
    finally:
        executor.close()
    assert f"loading {MODEL}" in heard


def test_closing_frees_what_was_loaded_in_a_daemon_that_was_found(models: Path) -> None:
    found = daemon.start(program(), lambda: None)
    try:
        chat = ChatExecutor(host=found.url, rules=Rules())
        assert chat.load({"model": MODEL}, unheard) == (MODEL,)
        chat.close()
        look_until(lambda: not Client(found.url).loaded(lambda: None), "the model left the memory")
    finally:
        found.stop()


def test_an_answer_with_its_counts_times_and_transcript(executor: ChatExecutor, tmp_path: Path) -> None:
    job = chat_job(tmp_path, system="You are brief.")
    outcome = executor.run(job)
    output = outcome.output
    assert output["message"]["role"] == "assistant" and output["message"]["content"].strip()
    assert 1 <= output["tokens"]["completion"] <= 24
    assert output["tokens"]["prompt"] > 10
    assert 0 < output["times"]["completion"] <= output["times"]["total"] < 60
    assert output["done_reason"] in ("stop", "length")
    assert (output["done_reason"] == "length") == any("cut off" in warning for warning in outcome.warnings)
    assert outcome.engine is not None
    assert (outcome.engine.name, outcome.engine.version) == ("ollama", daemon.version_at(url_of(executor)))
    assert outcome.engine.revision == output["digest"] and len(output["digest"]) == 64
    page = job.artifacts["transcript.md"].decode()
    assert "You are brief." in page and "Say hello to Ada." in page and output["message"]["content"].strip() in page


def test_the_text_grows_while_it_is_written(
    executor: ChatExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpujob_worker.chat.answering.TELL_EVERY_S", 0.0)
    job = chat_job(tmp_path, prompt="Count from one to twenty.")
    seen: list[str] = []
    progress = job.progress

    def hear(done: float, total: float, message: str = "", *, partial: str = "") -> None:
        progress(done, total, message, partial=partial)
        seen.append(partial)

    monkeypatch.setattr(job, "progress", hear)
    answer = executor.run(job).output["message"]["content"]
    lengths = [len(text) for text in seen]
    assert lengths == sorted(lengths) and len(set(lengths)) >= 5
    assert all(answer.startswith(text) for text in seen) and seen[-1] == answer
    assert job.reports[-1][:2] == (24, 24) or job.reports[-1][0] < 24


def test_temperature_0_says_the_same_twice(executor: ChatExecutor, tmp_path: Path) -> None:
    said = [executor.run(chat_job(tmp_path / str(one))).output["message"]["content"] for one in range(2)]
    assert said[0] == said[1]


def test_a_json_schema_is_followed(executor: ChatExecutor, tmp_path: Path) -> None:
    job = chat_job(
        tmp_path, prompt="Ada is 36 years old. Who is it?", format=SCHEMA, options={**BRIEF, "num_predict": 200}
    )
    outcome = executor.run(job)
    jsonschema.validate(outcome.output["json"], SCHEMA)
    assert json.loads(outcome.output["message"]["content"]) == outcome.output["json"]


def test_json_that_was_cut_off_is_a_warning(executor: ChatExecutor, tmp_path: Path) -> None:
    outcome = executor.run(chat_job(tmp_path, format=SCHEMA, options={**BRIEF, "num_predict": 3}))
    assert "json" not in outcome.output
    assert outcome.output["done_reason"] == "length"
    assert len(outcome.warnings) == 2


def test_a_model_that_is_neither_here_nor_allowed(executor: ChatExecutor) -> None:
    with pytest.raises(JobFailed, match=f"it has {MODEL}") as failed:
        executor.load({"model": "gemma3:270m"}, unheard)
    assert (failed.value.type, failed.value.retryable) == ("model_not_found", False)


def test_a_stop_in_mid_sentence_ends_the_computing(
    executor: ChatExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = chat_job(tmp_path, prompt="Tell me a very long story.", options=ENDLESS)
    stop_at_the_first_word(job, monkeypatch)
    with pytest.raises(JobCancelled):
        executor.run(job)
    assert job.artifacts == {}
    # The daemon computes one answer at a time, and the story would have gone on for a quarter of an hour.
    assert executor.run(chat_job(tmp_path / "next")).output["message"]["content"]


def test_a_daemon_that_is_killed_in_mid_sentence_fails_the_attempt_and_is_replaced(
    executor: ChatExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor.load({"model": MODEL}, unheard)
    guard, server = processes(executor)
    job = chat_job(tmp_path, prompt="Tell me a very long story.", options=ENDLESS)
    progress = job.progress

    def kill(done: float, total: float, message: str = "", *, partial: str = "") -> None:
        progress(done, total, message, partial=partial)
        if partial:
            with suppress(ProcessLookupError):  # what it had said before still comes
                os.kill(server, signal.SIGKILL)

    monkeypatch.setattr(job, "progress", kill)
    with (
        seen_to_end(group_of(guard)),
        pytest.raises(JobFailed, match="went away before it had finished") as failed,
    ):
        executor.run(job)
    assert (failed.value.type, failed.value.retryable) == ("engine", True)
    assert executor.run(chat_job(tmp_path / "next")).output["message"]["content"]
    assert processes(executor)[0] != guard


OWNER = """
import sys
from pathlib import Path
from gpujob_worker.executors.chat import ChatExecutor
executor = ChatExecutor(program=Path(sys.argv[1]))
executor.load({"model": sys.argv[2]}, lambda done, total, message: None)
print(executor._daemon._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["killed", "left"])
def test_a_daemon_ends_with_its_owner_however_that_ends(models: Path, how: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(program()), MODEL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None and owner.stdin is not None
    guard = int(owner.stdout.readline())
    group = group_of(guard)
    assert len(group) == 3, "the guard, the daemon, and its runner with the model"
    with seen_to_end(group):
        if how == "killed":
            owner.kill()
        else:
            owner.stdin.close()
        owner.wait()


def test_a_model_is_fetched_with_progress_and_goes_on_where_it_was_stopped(models: Path, tmp_path: Path) -> None:
    step, stop = 10 << 20, 40 << 20
    with model_registry.serving(models, allowed=step) as registry, home(tmp_path):
        name = f"{registry.host}/library/{MODEL}"
        size_bytes = registry.size_bytes(*MODEL.split(":"))
        executor = ChatExecutor(program=program(), rules=Rules(allow=("127.0.0.1:*",)))
        heard: list[tuple[float, float]] = []

        def report(done: float, total: float, message: str) -> None:
            if message.startswith("fetching"):
                heard.append((done, total))
                if done >= stop:
                    raise JobCancelled("the test cancelled the job")
                registry.allow(int(done) + step)

        with pytest.raises(JobCancelled):
            executor.load({"model": name}, report)
        look_until(lambda: kept_bytes(tmp_path / "models") >= stop, "what was fetched is on the disk")
        executor.close()
        registry.allow(model_registry.ALL)
        again: list[tuple[float, float]] = []
        loaded = executor.load({"model": name}, lambda done, total, message: again.append((done, total)))
        executor.close()
    assert loaded == (name,)
    assert heard == sorted(heard) and len({done for done, _ in heard}) >= 4
    assert [first >= stop for _, first in registry.ranges].count(True) == 1, f"it began anew: {registry.ranges}"
    assert max(again) == (size_bytes, size_bytes)


def test_a_model_that_its_registry_does_not_have(models: Path, executor: ChatExecutor) -> None:
    with model_registry.serving(models) as registry:
        open_minded = ChatExecutor(host=url_of(executor), rules=Rules(allow=("*",)))
        with pytest.raises(JobFailed, match="its registry has no such model") as failed:
            open_minded.load({"model": f"{registry.host}/library/nosuch:1b"}, unheard)
    assert (failed.value.type, failed.value.retryable) == ("model_not_found", False)


def test_the_whole_way_through_a_queue(models: Path, tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    submitted = store.submit(
        {"kind": "chat.complete", "input": {"model": MODEL, "prompt": "Say hello.", "options": BRIEF}}
    )
    executor = ChatExecutor(program=program(), rules=Rules())
    Worker(store, [executor], worker_id="talker", limits=Limits(once=True)).run()
    result = store.wait(submitted.id, timeout_s=5)
    assert result.state == "succeeded", result.error
    assert result.output["message"]["content"]
    assert result.engine["name"] == "ollama" and result.engine["model"] == MODEL
    files = store.download(result, tmp_path / "out")
    assert [path.name for path in files] == ["transcript.md"]
    assert "Say hello." in files[0].read_text()


def test_from_the_command_line_with_nothing_set_up(executor: ChatExecutor, tmp_path: Path) -> None:
    executor.load({"model": MODEL}, unheard)
    question = ("chat", "Say hello to Ada.", "--model", MODEL, "--temperature", "0", "--max-tokens", "8", "-o", "out")
    person = Person(tmp_path)
    done = person.run(*question, OLLAMA_HOST=url_of(executor))
    assert done.code == 0, done.err
    assert len(done.lines[0]) == 26, "the id comes first"
    answer = "\n".join(done.lines[1:])
    assert answer.strip()
    assert answer.strip() in (person.work / "out" / "transcript.md").read_text()
    assert "running on" in done.err and "cut off after 8 tokens" in done.err
    refused = person.run("chat", "Hello?", "--model", "gemma3:270m", OLLAMA_HOST=url_of(executor))
    assert refused.code == 100
    assert "GPUJOB_ALLOW_MODELS=gemma3:270m" in refused.err


def stop_at_the_first_word(job: FakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = job.progress

    def hear(done: float, total: float, message: str = "", *, partial: str = "") -> None:
        progress(done, total, message, partial=partial)
        if partial:
            job.checks_left = 0

    monkeypatch.setattr(job, "progress", hear)


def url_of(executor: ChatExecutor) -> str:
    assert executor._daemon is not None
    return executor._daemon.url


def processes(executor: ChatExecutor) -> tuple[int, int]:
    """The guard, and the daemon that it started."""
    assert executor._daemon is not None and executor._daemon._process is not None
    guard = executor._daemon._process.pid
    (server,) = map(int, Path(f"/proc/{guard}/task/{guard}/children").read_text().split())
    return guard, server


def group_of(leader: int) -> list[int]:
    """The processes of a group, zombies apart."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(") ")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(group) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


def kept_bytes(models: Path) -> int:
    """How much of the parts of a fetch is written down as done."""
    parts = [json.loads(path.read_text() or "{}") for path in models.glob("blobs/*-partial-*")]
    return max((int(part.get("Completed", 0)) for part in parts), default=0)
