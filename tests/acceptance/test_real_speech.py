"""The real model speaks, and a recogniser that has not seen the text writes down what it hears."""

from __future__ import annotations

import io
import re
import wave
from pathlib import Path
from typing import Any

import pytest

from gpujob import models
from gpujob.errors import JobCancelled, JobFailed
from gpujob_worker.executors.narrate import NarrateExecutor
from tests.acceptance import ears
from tests.fake_job import FakeCache, FakeJob, unheard
from tests.sizing import pick, require_or_skip
from tests.unit.speech.fakes import narration_input

pytestmark = pytest.mark.xdist_group("speech")  # what is spoken and recognised once serves all

TEXTS = (
    "Welcome to this tutorial. In the next two minutes we build a small web service.",
    "First, let's create a file called app dot py, and open it in the editor.",
    "Now run it. The server answers on port 8000, and that's all there is to it.",
)
GREETINGS = (
    ("ff_siwis", "Bonjour à tous."),
    ("jf_alpha", "こんにちは。"),
    ("ef_dora", "Hola, buenos días."),
    ("hf_alpha", "नमस्ते दुनिया।"),
    ("if_sara", "Buongiorno a tutti."),
    ("pf_dora", "Bom dia."),
    ("zf_xiaobei", "你好。"),
)
SHORT = "We build a small web service today."
RATE = 24_000


def _need_ears() -> None:
    require_or_skip("whisper", ears.HOW, there=ears.available())


@pytest.fixture(scope="module")
def executor() -> NarrateExecutor:
    executor = NarrateExecutor(offline=True)
    readiness = executor.readiness()
    require_or_skip("kokoro", f"{readiness.reason}; {readiness.hint}", there=readiness.ready)
    executor.load({}, unheard)
    return executor


def sound_of(data: bytes) -> tuple[int, bytes]:
    """The samples of a WAV and their bytes, by the standard library."""
    with wave.open(io.BytesIO(data)) as stream:
        assert (stream.getframerate(), stream.getnchannels(), stream.getsampwidth()) == (RATE, 1, 2)
        frames = stream.getnframes()
        sound = stream.readframes(frames)
    assert len(sound) == 2 * frames
    return frames, sound


def seconds(stamp: str) -> float:
    hours, minutes, rest = stamp.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest.replace(",", "."))


@pytest.fixture(scope="module")
def tour(executor: NarrateExecutor, tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeJob, dict[str, Any]]:
    """The narration of examples/specs/valid/narration.json, spoken once."""
    job_input = narration_input(*TEXTS, voice="am_michael", language="en-us", subtitles=["srt", "vtt"], concat=True)
    for step, name in zip(job_input["steps"], ("01-welcome", "02-file", "03-run"), strict=True):
        step["id"] = name
    job_input["steps"][1]["pause_after"] = 0.4
    job = FakeJob(tmp_path_factory.mktemp("tour"), job_input)
    return job, dict(executor.run(job).output)


def test_the_recogniser_writes_down_what_was_written(tour: tuple[FakeJob, dict[str, Any]]) -> None:
    _need_ears()
    job, _ = tour
    transcript = ears.heard(job.workdir / "audio/all.wav")
    share = ears.share_heard(" ".join(TEXTS), transcript)
    print(f"heard {share:.0%}: {transcript}")
    assert share >= 0.9, transcript


def test_each_file_says_its_own_step(tour: tuple[FakeJob, dict[str, Any]]) -> None:
    _need_ears()
    job, output = tour
    for text, step in zip(TEXTS, output["steps"], strict=True):
        transcript = ears.heard(job.workdir / step["file"])
        assert ears.share_heard(text, transcript) >= 0.8, transcript


def test_times_are_sample_counts(tour: tuple[FakeJob, dict[str, Any]]) -> None:
    job, output = tour
    at = 0
    joined, all_sound = sound_of(job.artifacts["audio/all.wav"])
    for step, pause in zip(output["steps"], (0, 9_600, 0), strict=True):
        assert step["file"] == f"audio/step-{step['id']}.wav"
        samples, sound = sound_of(job.artifacts[step["file"]])
        assert samples == step["samples"]
        assert step["duration"] == pytest.approx(samples / RATE, abs=1e-6)
        assert (step["start"], step["end"]) == pytest.approx((at / RATE, (at + samples) / RATE), abs=1e-6)
        assert all_sound[2 * at : 2 * (at + samples)] == sound
        assert not any(all_sound[2 * (at + samples) : 2 * (at + samples + pause)])
        at += samples + pause
    assert joined == at
    assert output["total_duration"] == pytest.approx(at / RATE, abs=1e-6)
    assert (output["sample_rate"], output["channels"], output["steps_generated"]) == (RATE, 1, 3)


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles_agree_with_the_timeline(tour: tuple[FakeJob, dict[str, Any]], form: str) -> None:
    job, output = tour
    assert f"subtitles/all.{form}" in output["subtitles"]
    text = job.artifacts[f"subtitles/all.{form}"].decode()
    stamps = re.findall(r"(\d\d:\d\d:\d\d[.,]\d{3}) --> (\d\d:\d\d:\d\d[.,]\d{3})\n((?:.+\n)+)", text)
    assert len(stamps) == 3
    for (start, end, said), step, expected in zip(stamps, output["steps"], TEXTS, strict=True):
        assert (seconds(start), seconds(end)) == pytest.approx((step["start"], step["end"]), abs=0.001)
        assert " ".join(said.split()) == expected


def test_speech_is_loud_enough_and_not_clipped(tour: tuple[FakeJob, dict[str, Any]]) -> None:
    _, sound = sound_of(tour[0].artifacts["audio/all.wav"])
    levels = memoryview(sound).cast("h")
    assert 3_000 < max(levels) < 32_767


def test_the_cache_spares_the_model(executor: NarrateExecutor, tmp_path: Path) -> None:
    cache = FakeCache(tmp_path)
    first = FakeJob(tmp_path, narration_input("Good morning."), cache=cache)
    executor.run(first)
    second = FakeJob(tmp_path, narration_input("Good morning.", "And good night."), attempt=2, cache=cache)
    output = executor.run(second).output
    assert [step["cached"] for step in output["steps"]] == [True, False]
    assert second.artifacts["audio/step-s1.wav"] == first.artifacts["audio/step-s1.wav"]


def test_the_same_input_gives_the_same_bytes_on_any_number_of_threads(
    tmp_path: Path, executor: NarrateExecutor
) -> None:
    files = []
    for attempt, threads in enumerate((1, 2), start=1):
        job = FakeJob(tmp_path / str(threads), narration_input("Good morning."), attempt=attempt)
        NarrateExecutor(offline=True, threads=threads).run(job)
        files.append(job.artifacts["audio/step-s1.wav"])
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("more", "share"),
    [
        ({"voice": "af_heart", "speed": 1.3}, 0.8),
        ({"voice": "af_bella(2)+af_sky(1)"}, 0.8),
        ({"voice": "bf_emma"}, 0.8),
    ],
)
def test_other_voices_mixes_and_speeds_are_understood(
    executor: NarrateExecutor, tmp_path: Path, more: dict[str, Any], share: float
) -> None:
    _need_ears()
    job = FakeJob(tmp_path, narration_input(SHORT, **more))
    executor.run(job)
    transcript = ears.heard(job.workdir / "audio/step-s1.wav")
    assert ears.share_heard(SHORT, transcript) >= share, transcript


@pytest.mark.parametrize("form", ["flac", "mp3", "opus"])
def test_other_formats_are_understood_and_cost_no_speech(
    executor: NarrateExecutor, tour: tuple[FakeJob, dict[str, Any]], tmp_path: Path, form: str
) -> None:
    _need_ears()
    spoken, expected = tour
    job = FakeJob(tmp_path, {**spoken.input, "format": form}, cache=spoken.cache)
    output = executor.run(job).output
    assert [step["cached"] for step in output["steps"]] == [True] * 3
    assert output["total_duration"] == expected["total_duration"]
    transcript = ears.heard(job.workdir / f"audio/all.{form}")
    assert ears.share_heard(" ".join(TEXTS), transcript) >= 0.9, transcript
    assert len(job.artifacts[f"audio/all.{form}"]) < 0.7 * len(spoken.artifacts["audio/all.wav"])


@pytest.mark.parametrize(("voice", "text"), pick(GREETINGS[:2], GREETINGS))
def test_every_language_speaks(executor: NarrateExecutor, tmp_path: Path, voice: str, text: str) -> None:
    job = FakeJob(tmp_path, narration_input(text, voice=voice))
    output = executor.run(job).output
    assert 0.4 < output["total_duration"] < 6


def test_a_cancel_stops_it_between_pieces(executor: NarrateExecutor, tmp_path: Path) -> None:
    job = FakeJob(tmp_path, narration_input("Good morning.", "Good evening."))
    job.checks_left = 3
    with pytest.raises(JobCancelled):
        executor.run(job)
    assert list(job.artifacts) == ["audio/step-s1.wav"]


def test_without_a_model_it_says_what_to_do(tmp_path: Path) -> None:
    executor = NarrateExecutor(root=tmp_path, offline=True)
    readiness = executor.readiness()
    assert not readiness.ready
    assert readiness.hint is not None
    with pytest.raises(JobFailed) as failure:
        executor.load({}, unheard)
    assert failure.value.type == "model_not_found"


def test_a_broken_model_file_is_named(tmp_path: Path) -> None:
    model = models.describe("kokoro")
    for file in model.files:
        path = tmp_path / model.folder / file.name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as stream:
            stream.truncate(file.size_bytes)
    with pytest.raises(JobFailed, match="does not load") as failure:
        NarrateExecutor(root=tmp_path, offline=True).load({}, unheard)
    assert failure.value.type == "model_not_found"
