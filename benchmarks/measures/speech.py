"""What a worker adds to speaking, cold and warm: narrations through the queue, their model in a child process.

Each text is spoken in turn by Kokoro called directly and by the queue, with the same threads, so that whatever else the
machine does slows both alike. "run" is the attempt's own time from its result; "submit to result" has polling and commit in
it too. It does not depend on the store, so it is taken with the folder store alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import LeftOut, Row
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import seconds
from gpujob import models
from gpujob.records import Result, Timings
from gpujob.store import JobStore, open_store
from gpujob_worker import Executor, JobContext, Limits, NarrateExecutor, Outcome, Report, Worker
from gpujob_worker.children.executor import ChildExecutor

DIRECTLY = "Kokoro called directly"
VOICE, LANGUAGE = "am_michael", "en-us"
TEXTS = (
    "Welcome to this tutorial. In the next few minutes we build a small web service, step by step.",
    "First we make a folder for it, and in it a file with the settings that the service reads when it starts.",
    "The server answers on one address, and gives back what it was asked for; nothing more is needed.",
    "Then we write a test that asks for a page and compares what comes back with what we expect.",
    "At the end we put everything into a bucket, where another machine finds it and goes on with the work.",
    "That is all. If something went wrong, start again at the second step, and look at the log first.",
)


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """Warm: against Kokoro directly. Cold: what the first job waits for."""
    if place.name != "folder":
        raise LeftOut("the same on every store; see the folder store")
    if sizes.quick:
        raise LeftOut("takes half a minute, which a quick run has not")
    if importlib.util.find_spec("kokoro_onnx") is None:
        raise LeftOut("kokoro-onnx is not installed: pip install 'gpujob[tts]'")
    if not models.is_installed("kokoro"):
        raise LeftOut("the speech model is not on this machine: gpujob models pull kokoro")
    store = open_store(place.queue("speech"))
    executor = ChildExecutor("gpujob_worker.executors.narrate:NarrateExecutor", NarrateExecutor(offline=True))
    try:
        cold = _through_queue(store, executor, "Ready.")
        return _rows(cold, _direct(), lambda text: _through_queue(store, executor, text))
    finally:
        executor.close()


def _rows(cold: Spoken, direct: Callable[[str], object], queued: Callable[[str], Spoken]) -> list[Row]:
    direct("Ready.")
    direct_s, spoken = 0.0, []
    for text in TEXTS:
        direct_s += seconds(lambda text=text: direct(text))
        spoken.append(queued(text))
    warm = [one.timings for one in spoken]
    detail = f"{len(TEXTS)} texts, {sum(map(len, TEXTS))} characters, in turn"
    count = len(TEXTS)
    return [
        Row("speech, warm: run", sum(one.run for one in warm), "s", DIRECTLY, direct_s, detail),
        Row("speech, warm: load of each", sum(one.load for one in warm) / count, "s", detail="mean"),
        Row("speech, warm: submit to result of each", sum(one.took_s for one in spoken) / count, "s", DIRECTLY,
            direct_s / count, "mean"),
        Row("speech, cold: load", cold.timings.load, "s", detail="a child process with its libraries and the model"),
    ]  # fmt: skip


def _direct() -> Any:
    """Kokoro as its own documentation calls it, on a session with the worker's threads."""
    import kokoro_onnx
    import onnxruntime

    from gpujob_worker.speech.synthesis import default_threads

    files = models.ensure("kokoro", offline=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = default_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(files.model), options, providers=["CPUExecutionProvider"])
    kokoro = kokoro_onnx.Kokoro.from_session(session, str(files.voices))
    return lambda text: kokoro.create(text, voice=VOICE, speed=1.0, lang=LANGUAGE)


@dataclass(frozen=True)
class Spoken:
    """A narration that went through the queue."""

    timings: Timings
    took_s: float


def _through_queue(store: JobStore, executor: ChildExecutor, text: str) -> Spoken:
    spec = {
        "kind": "tts.narrate",
        "cache": "off",
        "input": {"voice": VOICE, "language": LANGUAGE, "steps": [{"id": "01", "narration": text}]},
    }
    worker = Worker(store, [_Kept(executor)], worker_id="bench", limits=Limits(once=True))
    found: list[Result] = []

    def once() -> None:
        job_id = store.submit(spec).id
        worker.run()
        found.append(store.wait(job_id))

    took_s = seconds(once)
    assert found[0].state == "succeeded", found[0].error
    assert found[0].timings is not None
    return Spoken(found[0].timings, took_s)


class _Kept(Executor):
    """An executor that outlives its worker: here each worker runs one job."""

    def __init__(self, inner: Executor) -> None:
        self.kinds = inner.kinds  # type: ignore[misc]
        self._inner = inner

    def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
        return self._inner.load(wanted, report)

    def run(self, job: JobContext) -> Outcome:
        return self._inner.run(job)
