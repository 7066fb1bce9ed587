"""Which kind of failure ffmpeg's words and exit codes are, and loudnorm's measurement among them."""

from __future__ import annotations

import json

import pytest

from gpujob_worker.video.failures import cause, failure
from gpujob_worker.video.loudness import measured

MEASURED = {
    "input_i": "-27.61", "input_tp": "-24.60", "input_lra": "0.00", "input_thresh": "-37.61",
    "output_i": "-16.58", "normalization_type": "dynamic", "target_offset": "0.58",
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "code", "kind", "retryable"),
    [
        ("[mov @ 0x1] [error] moov atom not found\n", 1, "invalid_input", False),
        ("[error] Invalid data found when processing input", 183, "invalid_input", False),
        ("Only VP8 or VP9 video and Opus audio are supported for WebM.", 1, "invalid_input", False),
        ("av_interleaved_write_frame(): No space left on device", 228, "storage", True),
        ("[error] x264: malloc failed: Cannot allocate memory", 1, "out_of_memory", True),
        ("", -9, "out_of_memory", True),
        ("Unknown encoder 'libx265'", 1, "engine", True),
        ("[h264_nvenc @ 0x1] [error] OpenEncodeSessionEx failed", 1, "engine", True),
        ("something new", 1, "engine", True),
        ("", 1, "engine", True),
    ],
)
def test_the_type_follows_from_the_words(said: str, code: int, kind: str, retryable: bool) -> None:
    found = failure(said, code, "input.operations[0] (transcode)")
    assert (found.type, found.retryable) == (kind, retryable)
    assert found.message.startswith("input.operations[0] (transcode): ffmpeg")


def test_the_hint_names_the_encoder_that_is_missing() -> None:
    assert "no libx265" in str(failure("Unknown encoder 'libx265'", 1, "x").hint)


def test_the_cause_is_what_came_first_and_not_the_giving_up() -> None:
    said = """\
[warning] deprecated
[mov,mp4 @ 0x55] [error] moov atom not found
[mov,mp4 @ 0x55] [error] moov atom not found
[in#0 @ 0x56] [error] Error opening input: Invalid data found
[fatal] Error opening input files: Invalid data found
"""
    assert cause(said) == "moov atom not found"
    assert cause("Conversion failed!\n") == "Conversion failed!"
    assert cause("") == ""
    assert len(cause("long words " * 1000)) <= 700


def test_what_loudnorm_measured() -> None:
    said = f"Stream mapping:\n[Parsed_loudnorm_0 @ 0x1] \n{json.dumps(MEASURED)}\nsize=N/A {{}}\n"
    assert measured(said) == {
        "measured_I": "-27.61", "measured_TP": "-24.6", "measured_LRA": "0", "measured_thresh": "-37.61", "offset": "0.58",
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"input_i": "-inf"}, {"input_tp": "nan"}, {"input_lra": "x"}, {"input_i": "-120"}])
def test_silence_is_not_measured(change: dict[str, str]) -> None:
    assert measured(json.dumps(MEASURED | change)) == {}
    assert measured("no block at all") == {}
