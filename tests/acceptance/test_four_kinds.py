"""All four kinds through a real MinIO, each by a worker process as a person starts it, to files on this disk."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from localstack import servers
from localstack.programs import HOW, find
from localstack.servers import Server

from gpujob import JobStore, QueueConfig, queue
from gpujob.buckets.opening import open_bucket
from gpujob.models import is_installed
from gpujob.records import Result
from gpujob_worker.chat import daemon
from tests import tiny_diffusion
from tests.acceptance import clips
from tests.acceptance.ollama_home import MODEL, create_model, home, program
from tests.acceptance.processes import WorkerProcess
from tests.sizing import only_at_full_size, require_or_skip

URL = "s3://gpujob/four-kinds"
PATIENCE_S = 400.0
ROUNDED_S = 2.0  # a store's clock has whole seconds, and two moments of it are compared
UNCOUNTED_S = 5.0  # requests of the claim and of the end, on a busy machine

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    only_at_full_size("all kinds through MinIO")
    require_or_skip("minio", HOW["minio"], there=find("minio") is not None)
    with servers.running("minio") as started:
        yield started


@pytest.fixture
def store(server: Server, monkeypatch: pytest.MonkeyPatch) -> JobStore:
    for name, value in server.environment(URL).items():
        monkeypatch.setenv(name, value)
    made = JobStore(open_bucket(URL))
    if queue.load(made.bucket) is None:
        queue.save(made.context, QueueConfig(created_at=1.0))
    return made


def served(store: JobStore, server: Server, place: Path, spec: dict[str, Any], **more: str) -> Result:
    """What a worker process makes of a spec. Its home is the tests' own, so that it finds the models that are here."""
    job = store.submit(spec, base_dir=place)
    env = {**server.environment(URL), "HOME": os.environ["HOME"], **more}
    with WorkerProcess(URL, place, "--kinds", str(spec["kind"]), "--once", env=env) as worker:
        assert worker.process.wait(PATIENCE_S) == 0
    result = store.wait(job.id, timeout_s=30)
    assert result.state == "succeeded", result.error
    timings = result.timings
    assert timings is not None
    assert min(timings.queue, timings.load, timings.run, timings.upload) >= 0
    assert result.started_at is not None
    in_hand_s = timings.load + timings.run + timings.upload
    took_s = result.finished_at - result.created_at
    assert timings.queue + in_hand_s == pytest.approx(took_s, abs=ROUNDED_S), (timings, result)
    for counted_s, whole_s in (
        (timings.queue, result.started_at - result.created_at),
        (in_hand_s, result.finished_at - result.started_at),
    ):
        assert whole_s - UNCOUNTED_S <= counted_s <= whole_s + ROUNDED_S, (timings, result)
    return result


def files(store: JobStore, result: Result, place: Path) -> dict[str, Path]:
    """The artifacts on this disk, each verified by its sha256 on the way."""
    return {str(path.relative_to(place)): path for path in store.download(result, place)}


def test_speech(store: JobStore, server: Server, tmp_path: Path) -> None:
    require_or_skip("kokoro", "make models", there=is_installed("kokoro"))
    steps = [{"id": "one", "narration": "A word."}, {"id": "two", "narration": "Another."}]
    spec = {"kind": "tts.narrate", "input": {"steps": steps, "concat": True, "subtitles": ["srt"]}}
    result = served(store, server, tmp_path, spec)
    found = files(store, result, tmp_path / "out")
    assert {"audio/step-one.wav", "audio/step-two.wav"} <= set(found)
    with wave.open(str(found["audio/step-one.wav"])) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (24_000, 1, 2)
        assert sound.getnframes() == result.output["steps"][0]["samples"] > 6_000


def test_images(store: JobStore, server: Server, tmp_path: Path) -> None:
    tiny_diffusion.need_diffusers()
    model = tiny_diffusion.make(tmp_path / "tiny")
    spec = {"kind": "image.generate", "input": {"prompt": "a lighthouse", "num_inference_steps": 2, "seed": 7, "n": 2}}
    result = served(store, server, tmp_path, spec, GPUJOB_IMAGE_MODEL=str(model))
    found = files(store, result, tmp_path / "out")
    assert [image["seed"] for image in result.output["images"]] == [7, 8]
    assert all(found[image["file"]].read_bytes().startswith(b"\x89PNG") for image in result.output["images"])


def test_chat(store: JobStore, server: Server, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    ollama = program()
    with home(tmp_path_factory.mktemp("ollama")):
        running = daemon.start(ollama, lambda: None)
        try:
            create_model(running.url)
            options = {"temperature": 0, "num_predict": 16}
            spec = {"kind": "chat.complete", "input": {"model": MODEL, "prompt": "Say hello.", "options": options}}
            result = served(store, server, tmp_path, spec, OLLAMA_HOST=running.url)
        finally:
            running.stop()
    answer = result.output["message"]["content"]
    assert answer.strip()
    assert answer.strip() in files(store, result, tmp_path / "out")["transcript.md"].read_text()


def test_video(store: JobStore, server: Server, tmp_path: Path) -> None:
    clips.need_ffmpeg()
    clips.clip(tmp_path / "in.mp4", size="160x120", seconds=2)
    spec = {
        "kind": "video.encode",
        "files": [{"name": "in.mp4"}],
        "input": {
            "operations": [{"type": "scale", "input": "in.mp4", "output": "small.mp4", "width": 80, "height": 60}]
        },
    }
    result = served(store, server, tmp_path, spec)
    found = files(store, result, tmp_path / "out")["small.mp4"]
    assert len(clips.frames(found, 80, 60)) == 20
    assert result.output["files"][0]["duration"] == pytest.approx(2.0, abs=0.2)
