"""The chat executor against an imitation of the daemon: what it asks, tells, records, and how it fails."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpujob.errors import JobCancelled, JobFailed
from gpujob.specs import parse_object
from gpujob_worker.chat import daemon, placing
from gpujob_worker.chat.fetching import Rules
from gpujob_worker.executor import Outcome
from gpujob_worker.executors.chat import ChatExecutor
from tests.fake_job import FakeJob, unheard

from .imitation import PATIENCE_S, VERSION, Ollama, closing, imitation, piece

MODEL = "smollm2:135m"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.fixture
def ollama() -> Iterator[Ollama]:
    with imitation() as running:
        yield running


def chat_job(folder: Path, **given: Any) -> FakeJob:
    """A job with the input as the spec fills it in."""
    given = {"model": MODEL, **({} if "messages" in given else {"prompt": "Say hello."}), **given}
    files = [{"name": name} for one in given.get("messages", ()) for name in one.get("images", ())]
    spec = parse_object({"kind": "chat.complete", "input": given, **({"files": files} if files else {})})
    job = FakeJob(folder, spec.canonical()["input"])
    job.kind = "chat.complete"
    return job


def executor(ollama: Ollama, *allow: str, preload: tuple[str, ...] = ()) -> ChatExecutor:
    return ChatExecutor(host=ollama.url, rules=Rules(preload, allow))


def run(ollama: Ollama, job: FakeJob) -> Outcome:
    return executor(ollama).run(job)


def test_the_answer_is_recorded(ollama: Ollama, tmp_path: Path) -> None:
    job = chat_job(tmp_path)
    outcome = run(ollama, job)
    assert outcome.output["message"] == {"role": "assistant", "content": "Hello there"}
    assert outcome.output["done_reason"] == "stop"
    assert outcome.output["tokens"] == {"prompt": 7, "completion": 3}
    assert outcome.output["times"] == {"total": 3.0, "load": 1.0, "prompt": 0.5, "completion": 1.5}
    assert outcome.engine is not None
    assert (outcome.engine.name, outcome.engine.version, outcome.engine.model) == ("ollama", VERSION, MODEL)
    assert outcome.engine.revision == outcome.output["digest"] and len(outcome.output["digest"]) == 64
    assert outcome.warnings == []


def test_the_transcript_has_the_conversation(ollama: Ollama, tmp_path: Path) -> None:
    job = chat_job(tmp_path, system="Be brief.")
    run(ollama, job)
    page = job.artifacts["transcript.md"].decode()
    headings = ["# A conversation with smollm2:135m", "## System", "## User", "## Assistant"]
    assert [line for line in page.splitlines() if line.startswith("#")] == headings
    for text in ("Be brief.", "Say hello.", "Hello there", "7 tokens in, 3 out", "2.0 tokens/s"):
        assert text in page
    assert job.media_types["transcript.md"] == "text/markdown"


def test_what_the_spec_says_is_asked_for(ollama: Ollama, tmp_path: Path) -> None:
    options = {"temperature": 0, "seed": 4, "num_predict": 12, "stop": "END"}
    run(ollama, chat_job(tmp_path, system="Be brief.", options=options, format=SCHEMA, keep_alive="2m"))
    load, asked = ollama.asked("/api/chat")
    assert load["messages"] == [] and load["options"] == asked["options"]
    assert asked["options"] == {**options, "stop": ["END"]}
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Say hello."},
    ]
    assert (asked["format"], asked["keep_alive"], asked["stream"]) == (SCHEMA, 120, True)


def test_pictures_are_the_jobs_own_files(ollama: Ollama, tmp_path: Path) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(b"\x89PNG")
    job = chat_job(tmp_path, messages=[{"role": "user", "content": "What is it?", "images": ["cat.png"]}])
    job.files = {"cat.png": picture}
    run(ollama, job)
    assert ollama.asked("/api/chat")[-1]["messages"][0]["images"] == [base64.b64encode(b"\x89PNG").decode()]
    assert "*Picture: cat.png*" in job.artifacts["transcript.md"].decode()


def test_a_picture_without_a_word_is_answered(ollama: Ollama, tmp_path: Path) -> None:
    """It failed for the missing text when the whole answer had been computed."""
    picture = tmp_path / "picture"
    picture.write_bytes(b"\x89PNG")
    job = chat_job(tmp_path, messages=[{"role": "user", "content": "", "images": ["cat.png"]}])
    job.files = {"cat.png": picture}
    assert run(ollama, job).output["message"]["content"] == "Hello there"
    (asked,) = ollama.asked("/api/chat")[-1]["messages"]
    assert (asked.get("content", ""), len(asked["images"])) == ("", 1)  # the package leaves an empty text out
    assert "## User\n\n*Picture: cat.png*\n\n## Assistant" in job.artifacts["transcript.md"].decode()


def test_a_message_without_pictures_says_nothing_of_them(ollama: Ollama, tmp_path: Path) -> None:
    run(ollama, chat_job(tmp_path, messages=[{"role": "user", "content": "Hm?", "images": []}]))
    assert ollama.asked("/api/chat")[-1]["messages"] == [{"role": "user", "content": "Hm?"}]


def test_the_text_grows_as_it_comes(ollama: Ollama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpujob_worker.chat.answering.TELL_EVERY_S", 0.0)
    job = chat_job(tmp_path, options={"num_predict": 3})
    seen = []
    progress = job.progress

    def hear(done: float, total: float, message: str = "", *, partial: str = "") -> None:
        progress(done, total, message, partial=partial)
        seen.append((done, total, message, partial))

    monkeypatch.setattr(job, "progress", hear)
    run(ollama, job)
    assert seen == [
        (0, 0, "reading the prompt", ""),
        (1, 3, "answering", "Hello"),
        (2, 3, "answering", "Hello there"),
        (3, 3, "answering", "Hello there"),
    ]


def test_thinking_is_kept_apart(ollama: Ollama, tmp_path: Path) -> None:
    ollama.answer = [piece("", thinking="Hm.\nYes."), piece("42"), closing()]
    job = chat_job(tmp_path)
    assert run(ollama, job).output["message"]["content"] == "42"
    assert "> Hm.\n> Yes." in job.artifacts["transcript.md"].decode()


@pytest.mark.parametrize("wanted", ["json", SCHEMA])
def test_json_is_parsed(ollama: Ollama, tmp_path: Path, wanted: Any) -> None:
    ollama.answer = [piece('{"name":'), piece(' "Ada"}'), closing()]
    outcome = run(ollama, chat_job(tmp_path, format=wanted))
    assert outcome.output["json"] == {"name": "Ada"}
    assert outcome.warnings == []


@pytest.mark.parametrize("text", ['{"name": "A', '{"name": NaN}', '{"name": "\\ud800"}', "[" * 100_000])
def test_json_that_does_not_parse_is_a_warning(ollama: Ollama, tmp_path: Path, text: str) -> None:
    ollama.answer = [piece(text), closing("length", completion=4)]
    outcome = run(ollama, chat_job(tmp_path, format=SCHEMA))
    assert "json" not in outcome.output
    cut, unreadable, *_ = outcome.warnings
    assert cut == "the answer was cut off after 4 tokens (options.num_predict)"
    assert "not the JSON that `format` asked for" in unreadable or len(text) > 96 * 1024


def test_a_long_answer_is_whole_in_the_transcript_only(ollama: Ollama, tmp_path: Path) -> None:
    ollama.answer = [piece("é" * 60_000), closing()]
    job = chat_job(tmp_path)
    outcome = run(ollama, job)
    assert outcome.output["message"]["content"] == "é" * (48 * 1024)
    assert ["the transcript all" in warning for warning in outcome.warnings] == [True]
    assert "é" * 60_000 in job.artifacts["transcript.md"].decode()


def test_a_stop_between_words_hangs_up_at_once(ollama: Ollama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    ollama.answer = [piece("One"), never]
    job = chat_job(tmp_path)
    progress = job.progress

    def hear(done: float, total: float, message: str = "", *, partial: str = "") -> None:
        progress(done, total, message, partial=partial)
        if partial:
            job.checks_left = 0

    monkeypatch.setattr(job, "progress", hear)
    with pytest.raises(JobCancelled):
        run(ollama, job)
    assert ollama.hung_up.wait(PATIENCE_S)
    assert job.artifacts == {}


def test_a_broken_stream_is_a_clean_error(ollama: Ollama, tmp_path: Path) -> None:
    ollama.answer = [piece("One"), OSError()]
    with pytest.raises(JobFailed, match="went away before it had finished") as failed:
        run(ollama, chat_job(tmp_path))
    assert (failed.value.type, failed.value.retryable) == ("engine", True)


def test_a_stream_without_an_end_is_no_answer(ollama: Ollama, tmp_path: Path) -> None:
    ollama.answer = [piece("One")]
    with pytest.raises(JobFailed, match="ended the answer before it was finished"):
        run(ollama, chat_job(tmp_path))


@pytest.mark.parametrize(
    ("status", "text", "type_", "retryable"),
    [
        (500, "model requires more system memory (5.1 GiB) than is available (2.0 GiB)", "out_of_memory", True),
        (500, "llama runner process has terminated: signal: killed", "out_of_memory", True),
        (500, "llama runner process has terminated: exit status 2", "engine", True),
        (400, '"all-minilm" does not support chat', "invalid_input", False),
        (404, "model 'x' not found", "model_not_found", False),
    ],
)
def test_errors_have_their_type(
    ollama: Ollama, tmp_path: Path, status: int, text: str, type_: str, retryable: bool
) -> None:
    ollama.refusal_to_load = (status, text)
    with pytest.raises(JobFailed) as failed:
        executor(ollama).load(chat_job(tmp_path).input, unheard)
    assert (failed.value.type, failed.value.retryable) == (type_, retryable)
    assert text in failed.value.message


def test_an_error_within_the_stream_has_its_type_too(ollama: Ollama, tmp_path: Path) -> None:
    ollama.answer = [piece("One"), {"error": "CUDA error: out of memory"}]
    with pytest.raises(JobFailed) as failed:
        run(ollama, chat_job(tmp_path))
    assert failed.value.type == "out_of_memory"


@pytest.mark.parametrize("model", ["gemma3:270m", "gemma3", "hf.co/owner/thing:Q4_K_M", "127.0.0.1:9/library/x"])
def test_a_model_that_is_not_allowed_is_not_fetched(ollama: Ollama, tmp_path: Path, model: str) -> None:
    with pytest.raises(JobFailed, match=f"has no model {model} and may not fetch it") as failed:
        executor(ollama, "other", "gemma2:*", "smol*").load({"model": model}, unheard)
    assert (failed.value.type, failed.value.retryable) == ("model_not_found", False)
    assert f"GPUJOB_ALLOW_MODELS={model}" in str(failed.value.hint)
    assert MODEL in failed.value.message
    assert ollama.asked("/api/pull") == []


@pytest.mark.parametrize(
    ("model", "allow", "preload"),
    [
        ("gemma3:270m", "*", ""),
        ("gemma3:270m", "gemma3:*", ""),
        ("gemma3", "Gemma3", ""),
        ("hf.co/owner/thing:Q4_K_M", "hf.co/owner/*", ""),
        ("gemma3", "", "library/gemma3:latest"),
    ],
)
def test_a_model_that_is_allowed_is_fetched(ollama: Ollama, model: str, allow: str, preload: str) -> None:
    ollama.pulling = [{"status": "pulling manifest"}, {"status": "success"}]
    executor(ollama, allow, preload=(preload,) if preload else ()).load({"model": model}, unheard)
    assert ollama.asked("/api/pull") == [{"model": model, "insecure": False, "stream": True}]


def test_fetching_is_told_over_all_layers_and_never_goes_backwards(ollama: Ollama) -> None:
    def layer(digest: str, completed: int | None, total: int) -> dict[str, Any]:
        done = {} if completed is None else {"completed": completed}
        return {"status": f"pulling {digest}", "digest": f"sha256:{digest}", "total": total, **done}

    ollama.pulling = [
        {"status": "pulling manifest"},
        layer("a", None, 100),
        layer("a", 60, 100),
        layer("a", 40, 100),
        layer("a", 100, 100),
        layer("b", 5, 10),
        layer("b", 10, 10),
        {"status": "verifying sha256 digest"},
        {"status": "success"},
    ]
    heard: list[tuple[float, float]] = []

    def report(done: float, total: float, message: str) -> None:
        if message == "fetching gemma3":
            heard.append((done, total))

    executor(ollama, "*").load({"model": "gemma3"}, report)
    assert list(dict.fromkeys(heard)) == [(0, 0), (0, 100), (60, 100), (100, 100), (105, 110), (110, 110)]


def test_a_stop_while_fetching_hangs_up(ollama: Ollama) -> None:
    ollama.pulling = [{"status": "pulling manifest"}, threading.Event()]

    def report(done: float, total: float, message: str) -> None:
        if message.startswith("fetching") and ollama.asked("/api/pull"):
            raise JobCancelled("the test cancelled the job")

    with pytest.raises(JobCancelled):
        executor(ollama, "*").load({"model": "gemma3"}, report)
    assert ollama.hung_up.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("text", "retryable"),
    [
        ("pull model manifest: file does not exist", False),
        ('pull model manifest: Get "https://registry.ollama.ai/v2/": dial tcp: lookup failed', True),
    ],
)
def test_a_model_that_cannot_be_had(ollama: Ollama, text: str, retryable: bool) -> None:
    ollama.pulling = [{"status": "pulling manifest"}, {"error": text}]
    with pytest.raises(JobFailed) as failed:
        executor(ollama, "*").load({"model": "gemma3"}, unheard)
    assert (failed.value.type, failed.value.retryable) == ("model_not_found", retryable)


def test_preloading_goes_on_past_a_model_that_fails(ollama: Ollama, caplog: pytest.LogCaptureFixture) -> None:
    ollama.pulling = [{"error": "pull model manifest: file does not exist"}]
    assert executor(ollama, preload=("nosuch", MODEL)).load({}, unheard) == (MODEL,)
    assert "nosuch is not preloaded" in caplog.text


def test_without_anything_to_preload_the_daemon_is_left_in_peace(ollama: Ollama) -> None:
    assert executor(ollama).load({}, unheard) == ()
    assert ollama.requests == []


def test_a_gpu_that_the_model_is_not_on_is_told(
    ollama: Ollama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "gpu_present", lambda: True)
    outcome = run(ollama, chat_job(tmp_path))
    assert outcome.engine is not None and outcome.engine.device == "cpu"
    assert ["on its CPU" in warning for warning in outcome.warnings] == [True]
    ollama.vram = 50
    outcome = run(ollama, chat_job(tmp_path))
    assert outcome.engine is not None and outcome.engine.device == "cuda"
    assert outcome.warnings == []


def test_readiness(ollama: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    assert executor(ollama).readiness().ready
    nobody = ChatExecutor(host="127.0.0.1:9")
    monkeypatch.setattr(daemon, "find_program", lambda: None)
    readiness = nobody.readiness()
    assert not readiness.ready
    assert "http://127.0.0.1:9" in readiness.reason and "OLLAMA_HOST" in readiness.hint
    monkeypatch.setattr(daemon, "find_program", lambda: Path("/usr/bin/ollama"))
    assert nobody.readiness().ready
    assert not ChatExecutor(host="ftp://x").readiness().ready


def test_a_daemon_elsewhere_that_does_not_answer_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "version_at", lambda url: None)
    with pytest.raises(JobFailed, match="no Ollama daemon answers at http://gpu-box:11434") as failed:
        ChatExecutor(host="gpu-box", program=Path("/bin/false")).load({"model": MODEL}, unheard)
    assert failed.value.type == "engine"


def test_a_daemon_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "ollama"
    broken.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(daemon, "TRIES", 1)
    with pytest.raises(JobFailed, match="did not come up: no such luck"):
        ChatExecutor(host="127.0.0.1:9", program=broken).load({"model": MODEL}, unheard)


def test_the_settings_are_the_rules(ollama: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUJOB_ALLOW_MODELS", "gemma3:*")
    monkeypatch.setenv("OLLAMA_HOST", ollama.url)
    ollama.pulling = [{"status": "success"}]
    ChatExecutor().load({"model": "gemma3:270m"}, unheard)
    with pytest.raises(JobFailed, match="may not fetch it"):
        ChatExecutor().load({"model": "llama3"}, unheard)


def test_the_output_is_json(ollama: Ollama, tmp_path: Path) -> None:
    outcome = run(ollama, chat_job(tmp_path, format="json"))
    assert json.loads(json.dumps(outcome.output, allow_nan=False)) == outcome.output
