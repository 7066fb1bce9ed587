"""A narration with a stand-in for the model: files, cache, cancel, output."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import pytest

from gpujob.errors import JobCancelled, JobFailed
from gpujob_worker.speech.narration import JOINED, narrate
from tests.fake_job import FakeCache, FakeJob
from tests.unit.speech.fakes import FakeVoice, narration_input

LONG = "This sentence has about seventy characters in it, give or take a few. " * 3
TAIL = 6_000  # samples of silence behind a sentence at speed 1


def samples(data: bytes) -> int:
    with wave.open(io.BytesIO(data)) as stream:
        return stream.getnframes()


def run(job: FakeJob, voice: FakeVoice | None = None) -> dict[str, object]:
    return dict(narrate(job, voice or FakeVoice(), "gpujob test").output)


def test_one_file_a_step_with_exact_counts(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, narration_input("Hello.", "Hi."))
    output = run(job)
    assert set(output) == {"sample_rate", "channels", "total_duration", "steps_generated", "steps", "subtitles"}
    assert list(job.artifacts) == ["audio/step-s1.wav", "audio/step-s2.wav"]
    assert samples(job.artifacts["audio/step-s1.wav"]) == 6_000 + TAIL
    assert output["total_duration"] == (9_000 + 2 * TAIL) / 24_000
    assert job.media_types["audio/step-s1.wav"] == "audio/wav"


def test_the_joined_file_has_the_pauses_and_the_timeline_agrees(tmp_path: Path) -> None:
    job_input = narration_input("Hello.", "Hi.", concat=True, subtitles=["srt", "vtt"])
    job_input["steps"][0]["pause_after"] = 0.5
    job = FakeJob(tmp_path, job_input)
    output = run(job)
    assert samples(job.artifacts[f"{JOINED}.wav"]) == 9_000 + 2 * TAIL + 12_000
    first, second = output["steps"]  # type: ignore[misc, str-unpack]
    assert second["start"] == first["end"] + 0.5
    assert output["subtitles"] == ["subtitles/all.srt", "subtitles/all.vtt"]
    assert b"00:00:01,000 --> 00:00:01,375\nHi." in job.artifacts["subtitles/all.srt"]


def test_what_is_in_the_cache_is_not_spoken_again(tmp_path: Path) -> None:
    cache, voice = FakeCache(tmp_path), FakeVoice()
    first = FakeJob(tmp_path, narration_input("One.", "Two."), cache=cache)
    run(first, voice)
    edited = FakeJob(tmp_path, narration_input("One.", "Changed.", "Two."), attempt=2, cache=cache)
    output = run(edited, voice)
    assert [text for text, _ in voice.said] == ["One.", "Two.", "Changed."]
    assert [step["cached"] for step in output["steps"]] == [True, False, True]  # type: ignore[attr-defined]
    assert edited.artifacts["audio/step-s1.wav"] == first.artifacts["audio/step-s1.wav"]


@pytest.mark.parametrize("change", [{"voice": "af_sky"}, {"speed": 1.1}, {"voice": "bf_emma", "language": "en-gb"}])
def test_another_voice_speed_or_language_is_spoken_anew(tmp_path: Path, change: dict[str, object]) -> None:
    cache, voice = FakeCache(tmp_path), FakeVoice()
    run(FakeJob(tmp_path, narration_input("One."), cache=cache), voice)
    run(FakeJob(tmp_path, narration_input("One.", **change), attempt=2, cache=cache), voice)
    assert len(voice.said) == 2


def test_a_mix_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    cache, voice = FakeCache(tmp_path), FakeVoice()
    for attempt, mix in enumerate(["af_bella(2)+af_sky(1)", "af_sky + af_bella(2)", "af_bella(4)+af_sky(2)"], start=1):
        run(FakeJob(tmp_path, narration_input("One.", voice=mix), attempt=attempt, cache=cache), voice)
    assert len(voice.said) == 1
    assert voice.said[0][1].voice == (("af_bella", 0.666667), ("af_sky", 0.333333))


def test_a_cache_entry_that_does_not_fit_is_spoken_again(tmp_path: Path) -> None:
    cache, voice = FakeCache(tmp_path), FakeVoice()
    run(FakeJob(tmp_path, narration_input("One."), cache=cache), voice)
    (name, (payload, _)) = next(iter(cache.entries.items()))
    for attempt, facts in enumerate(['{"spans": [["One.", 7]]}', '{"spans": 3}', "{}"], start=2):
        cache.entries[name] = (payload, facts)
        output = run(FakeJob(tmp_path, narration_input("One."), attempt=attempt, cache=cache), voice)
        assert output["steps"][0]["cached"] is False  # type: ignore[index]
    assert len(voice.said) == 4


def test_cancel_is_obeyed_between_pieces_and_finished_steps_stay(tmp_path: Path) -> None:
    cache, voice = FakeCache(tmp_path), FakeVoice()
    job = FakeJob(tmp_path, narration_input("One.", LONG), cache=cache)
    job.checks_left = 6
    with pytest.raises(JobCancelled):
        run(job, voice)
    assert list(job.artifacts) == ["audio/step-s1.wav"]
    assert 1 < len(voice.said) < 4
    again = FakeJob(tmp_path, narration_input("One.", LONG), attempt=2, cache=cache)
    assert [step["cached"] for step in run(again, voice)["steps"]] == [True, False]  # type: ignore[attr-defined]


def test_steps_override_voice_speed_and_language(tmp_path: Path) -> None:
    job_input = narration_input("One.", "Two.", "Three.", voice="af_heart", speed=1.2, language="en-us")
    job_input["steps"][1].update(voice="bf_emma")
    job_input["steps"][2].update(speed=0.8, language="en-gb", voice="bf_emma+af_sky")
    voice = FakeVoice()
    run(FakeJob(tmp_path, job_input), voice)
    asked = [(line.voice_name, line.speed, line.language) for _, line in voice.said]
    assert asked == [
        ("af_heart", 1.2, "en-us"),
        ("bf_emma", 1.2, "en-gb"),
        ("af_sky(0.5)+bf_emma(0.5)", 0.8, "en-gb"),
    ]


def test_who_speaks_faster_pauses_shorter(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, narration_input("Hello.", speed=2.0))
    run(job)
    assert samples(job.artifacts["audio/step-s1.wav"]) == 6_000 + TAIL // 2


def test_progress_ends_at_the_number_of_steps(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, narration_input("One.", LONG))
    run(job)
    assert job.reports[-1][:2] == (2, 2)
    assert any(1 < done < 2 for done, _, _ in job.reports)
    assert job.reports[0][2] == "step 1/2: s1"


@pytest.mark.parametrize(
    ("job_input", "said"),
    [
        (narration_input("..."), "no word to say"),
        (narration_input(""), "no word to say"),
        (narration_input(), "nothing to say"),
        (narration_input(*["Hi."] * 1500), "more than one result can list"),
        (narration_input("Hi.", voice="af_hart"), "af_hart"),
    ],
)
def test_bad_input_is_not_tried_again(tmp_path: Path, job_input: dict[str, object], said: str) -> None:
    job = FakeJob(tmp_path, job_input)
    with pytest.raises(JobFailed, match=said) as failure:
        run(job)
    assert (failure.value.type, failure.value.retryable) == ("invalid_input", False)
    assert job.artifacts == {}


def test_a_gpu_left_idle_and_kanji_are_warned_of(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, narration_input("日本", voice="jf_alpha"))
    warnings = narrate(job, FakeVoice("a GPU, yet the CPU"), "gpujob test").warnings
    assert warnings[0] == "a GPU, yet the CPU"
    assert "kana" in warnings[1]
