"""What a worker adds to speaking: a narration through the queue, from submit to the waiter's result.

Against Kokoro called directly for the same texts with the same threads, its model loaded in both cases. Each
is done once after a word to warm up. It does not depend on the store, so it is taken with the folder store alone.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from benchmarks.figures import LeftOut, Row
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import cpu_seconds, seconds, seconds_for_each
from gpujob import models
from gpujob.store import JobStore, open_store
from gpujob_worker import Limits, NarrateExecutor, Worker

DIRECTLY = "Kokoro called directly"
VOICE, LANGUAGE = "am_michael", "en-us"
TEXTS = ("Welcome to this tutorial. We build a small web service.", "The server answers, and that is all.")


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """One row by the clock, one by the processor."""
    if place.name != "folder":
        raise LeftOut("the same on every store; see the folder store")
    if sizes.quick:
        raise LeftOut("takes half a minute, which a quick run has not")
    if importlib.util.find_spec("kokoro_onnx") is None:
        raise LeftOut("kokoro-onnx is not installed: pip install 'gpujob[tts]'")
    if not models.is_installed("kokoro"):
        raise LeftOut("the speech model is not on this machine: gpujob models pull kokoro")
    direct = _direct()
    store = open_store(place.queue("speech"))
    executor = NarrateExecutor(offline=True)
    _through_queue(store, executor, ("Ready.",))
    direct("Ready.")
    marks = [cpu_seconds()]
    direct_s = seconds_for_each(direct, TEXTS)
    marks.append(cpu_seconds())
    queue_s = seconds(lambda: _through_queue(store, executor, TEXTS))
    marks.append(cpu_seconds())
    detail = f"{len(TEXTS)} steps, {sum(map(len, TEXTS))} characters, once"
    return [
        Row("speech through the queue", queue_s, "s", DIRECTLY, direct_s, detail),
        Row("speech through the queue: CPU", marks[2] - marks[1], "s", DIRECTLY, marks[1] - marks[0], detail),
    ]


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


def _through_queue(store: JobStore, executor: NarrateExecutor, texts: tuple[str, ...]) -> None:
    steps = [{"id": f"{number:02}", "narration": text} for number, text in enumerate(texts)]
    spec = {
        "kind": "tts.narrate",
        "cache": "off",
        "input": {"voice": VOICE, "language": LANGUAGE, "steps": steps},
    }
    job_id = store.submit(spec).id
    Worker(store, [executor], worker_id="bench", limits=Limits(once=True)).run()
    result = store.wait(job_id)
    assert result.state == "succeeded", result.error
