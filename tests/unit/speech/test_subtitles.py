"""Subtitles and the timeline, from sample counts."""

from __future__ import annotations

from gpujob_worker.speech.subtitles import Cue, srt, vtt
from gpujob_worker.speech.timeline import Span, SpokenStep, cues, starts, step_records

STEPS = [
    SpokenStep("a", "audio/step-a.wav", (Span("One.", 24_000), Span("Two.", 12_000)), 0.5, False),
    SpokenStep("b", "audio/step-b.wav", (Span("Three.", 8_001),), 0.0, True),
]


def test_srt() -> None:
    assert srt([Cue(0, 1.5, "Hello."), Cue(3661.0009, 3662.25, "Bye.")]) == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n01:01:01,001 --> 01:01:02,250\nBye.\n"
    )


def test_vtt_escapes_markup() -> None:
    assert vtt([Cue(0, 1, "if a < b & c > d")]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nif a &lt; b &amp; c &gt; d\n"
    )


def test_text_cannot_end_its_cue() -> None:
    text = srt([Cue(0, 1, "evil\n\n2\n00:00:05,000 --> 00:00:06,000\nmore")])
    assert text.count("-->") == 1
    assert "\n\n" not in text


def test_long_text_is_wrapped_and_no_word_is_lost() -> None:
    words = "the quick brown fox jumps over the lazy dog " * 3
    lines = srt([Cue(0, 1, words)]).split("\n")[2:]
    assert all(len(line) <= 42 for line in lines)
    assert " ".join(lines).split() == words.split()


def test_hours_beyond_two_digits() -> None:
    assert "100:00:00,000" in srt([Cue(360_000, 360_001, "x")])


def test_the_timeline_counts_samples() -> None:
    assert starts(STEPS) == [0, 48_000, 56_001]
    first, second = step_records(STEPS)
    assert first == {
        "id": "a", "file": "audio/step-a.wav", "samples": 36_000, "duration": 1.5,
        "start": 0.0, "end": 1.5, "cached": False,
    }  # fmt: skip
    assert (second["start"], second["end"], second["cached"]) == (2.0, round(56_001 / 24_000, 6), True)


def test_one_cue_for_each_span() -> None:
    assert cues(STEPS) == [Cue(0, 1, "One."), Cue(1, 1.5, "Two."), Cue(2, 56_001 / 24_000, "Three.")]
