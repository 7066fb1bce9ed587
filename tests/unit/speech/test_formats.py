"""Narrations in every format, decoded again: as many samples as were spoken, the same sound, and the tags."""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from gpujob.errors import JobFailed
from gpujob.specs.inputs.narrate import Narration
from gpujob_worker.speech.formats import FORMATS, require_format, write_sound
from gpujob_worker.speech.narration import narrate
from gpujob_worker.speech.script import Line
from tests.fake_job import FakeCache, FakeJob
from tests.unit.speech.fakes import FakeVoice, narration_input

RATE = 24_000
LOSSLESS = ("wav", "flac")
MEDIA_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "opus": "audio/ogg"}


def tone(seconds: float, hertz: float = 220) -> bytes:
    moments = np.arange(round(seconds * RATE)) / RATE
    return (8000 * np.sin(2 * np.pi * hertz * moments)).astype("<i2").tobytes()


class Singer(FakeVoice):
    """Says every text as a tone of a tenth of a second a character."""

    def say(self, text: str, line: Line) -> bytes:
        self.said.append((text, line))
        return tone(0.1 * len(text))


def decoded(data: bytes) -> tuple[np.ndarray[Any, np.dtype[np.int16]], Any]:
    """The samples of a file and the open file, by libsndfile."""
    stream = importlib.import_module("soundfile").SoundFile(io.BytesIO(data))
    return stream.read(dtype="int16"), stream


def run(tmp_path: Path, form: str, attempt: int = 1, cache: FakeCache | None = None, voice: Any = None) -> Any:
    job_input = narration_input("Hello there.", "And good night.", format=form, concat=True, subtitles=["srt"])
    job_input["steps"][0]["pause_after"] = 0.5
    job = FakeJob(tmp_path, job_input, attempt=attempt, cache=cache)
    return job, dict(narrate(job, voice or Singer(), "gpujob test").output)


def test_every_format_of_the_spec_can_be_written() -> None:
    assert set(get_args(Narration.model_fields["format"].annotation)) == set(FORMATS)
    for name in FORMATS:
        require_format(name)


@pytest.mark.parametrize("form", FORMATS)
def test_a_narration_in_any_format_has_the_same_times_and_sound(tmp_path: Path, form: str) -> None:
    wav, expected = run(tmp_path, "wav")
    job, output = run(tmp_path, form, attempt=2)
    assert list(job.artifacts) == [name.replace(".wav", f".{form}") for name in wav.artifacts]
    sounds = [name for name in job.artifacts if name.startswith("audio/")]
    assert {job.media_types[name] for name in sounds} == {MEDIA_TYPES[form]}
    for before, now in zip(expected["steps"], output["steps"], strict=True):
        assert now == before | {"file": f"audio/step-{before['id']}.{form}"}
        assert len(decoded(job.artifacts[now["file"]])[0]) == now["samples"]
    joined, reference = decoded(job.artifacts[f"audio/all.{form}"])[0], decoded(wav.artifacts["audio/all.wav"])[0]
    assert len(joined) == len(reference) == output["total_duration"] * RATE
    if form in LOSSLESS:
        assert (joined == reference).all()
    else:
        assert np.corrcoef(joined.astype(float), reference.astype(float))[0, 1] > 0.98
    assert job.artifacts["subtitles/all.srt"] == wav.artifacts["subtitles/all.srt"]


@pytest.mark.parametrize("form", FORMATS)
def test_files_carry_their_origin(tmp_path: Path, form: str) -> None:
    job, _ = run(tmp_path, form)
    _, stream = decoded(job.artifacts[f"audio/step-s1.{form}"])
    assert stream.samplerate in (RATE, 48_000) and stream.channels == 1
    assert stream.title == "s1"
    assert "fake 1" in stream.comment and "af_heart" in stream.comment
    assert "gpujob test" in stream.software + stream.comment


def test_another_format_speaks_nothing_again(tmp_path: Path) -> None:
    cache, voice = FakeCache(tmp_path), Singer()
    for attempt, form in enumerate(FORMATS, start=1):
        _, output = run(tmp_path, form, attempt, cache, voice)
        assert {step["cached"] for step in output["steps"]} == {attempt > 1}
    assert len(voice.said) == 2


@pytest.mark.parametrize("form", ["flac", "mp3"])
def test_the_same_sound_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    for name in ("one", "two"):
        write_sound(tmp_path / name, form, [tone(1.5)], {"title": "t"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("form", ["flac", "mp3", "opus"])
def test_long_blocks_are_written_whole(tmp_path: Path, form: str) -> None:
    write_sound(tmp_path / "long", form, [tone(90), b"", tone(0.01)], {})
    assert len(decoded((tmp_path / "long").read_bytes())[0]) == round(90.01 * RATE)


def test_without_the_library_the_job_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    job, _ = run(tmp_path, "wav")
    assert "audio/all.wav" in job.artifacts
    voice = Singer()
    with pytest.raises(JobFailed, match=r"input\.format: mp3 needs soundfile") as failure:
        run(tmp_path, "mp3", attempt=2, voice=voice)
    assert failure.value.hint == "pip install 'gpujob[tts]'"
    assert voice.said == []
