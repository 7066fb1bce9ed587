"""Voice arrays and PCM: needs numpy, not the model."""
# ruff: noqa: E402 - numpy is looked for before what needs it

from __future__ import annotations

import struct
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="install the speech extra: pip install 'gpujob[tts]'")

from gpujob.errors import JobFailed
from gpujob_worker.speech.encode import to_pcm16
from gpujob_worker.speech.voices import VoiceBook, blend


def style(value: float) -> object:
    return np.full((510, 1, 256), value, dtype=np.float32)


def test_a_mix_is_the_weighted_mean() -> None:
    mixed = blend([(style(1.0), 2.0), (style(4.0), 1.0)])
    assert mixed.dtype == np.float32
    assert mixed.shape == (510, 1, 256)
    assert np.allclose(mixed, 2.0)


def test_one_voice_is_unchanged() -> None:
    alone = style(0.1)
    assert blend([(alone, 0.5)]) is alone


def test_a_book_reads_voices_and_names_the_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "voices.npz", af_one=style(1.0), af_two=style(2.0))
    book = VoiceBook(tmp_path / "voices.npz")
    assert np.allclose(book.style((("af_one", 0.5), ("af_two", 0.5))), 1.5)
    with pytest.raises(JobFailed, match="af_three"):
        book.style((("af_three", 1.0),))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "voices.npz", af_one=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        VoiceBook(tmp_path / "voices.npz").style((("af_one", 1.0),))


def test_pcm_is_rounded_clipped_and_little_endian() -> None:
    sound = np.array([0.0, 1.0, -1.0, 2.0, -3.0, 0.5, np.nan, np.inf], dtype=np.float32)
    expected = (0, 32767, -32767, 32767, -32767, 16384, 0, 32767)
    assert to_pcm16(sound) == struct.pack("<8h", *expected)
