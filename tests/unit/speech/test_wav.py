"""WAV files, read back by the standard library and by hand."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import pytest

from gpujob_worker.speech.wav import NotOurWav, read_wav, samples_of, silence, write_wav

SOUND = struct.pack("<6h", 0, 1, -1, 32767, -32768, 5)


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a RIFF file, checking every length and the padding."""
    assert data[:4] == b"RIFF" and data[8:12] == b"WAVE"
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    found, at = {}, 12
    while at < len(data):
        code, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        found[code] = data[at + 8 : at + 8 + size]
        assert len(found[code]) == size
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def test_the_standard_library_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.wav"
    assert write_wav(path, [SOUND[:4], SOUND[4:]], {"title": "Intro"}) == 6
    with wave.open(str(path)) as stream:
        assert stream.getparams()[:4] == (1, 2, 24_000, 6)
        assert stream.readframes(99) == SOUND


def test_tags_stand_behind_the_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, [SOUND], {"comment": "für dich", "title": "odd", "software": "gpujob"})
    data = path.read_bytes()
    assert data[44 : 44 + len(SOUND)] == SOUND
    info = chunks(data)[b"LIST"]
    assert info.startswith(b"INFO")
    tags = chunks(b"RIFF" + struct.pack("<I", len(info)) + b"WAVE" + info[4:])
    assert tags == {b"INAM": b"odd\0", b"ISFT": b"gpujob\0", b"ICMT": "für dich\0".encode()}


def test_without_tags_there_is_no_list(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, [])
    assert set(chunks(path.read_bytes())) == {b"fmt ", b"data"}
    assert read_wav(path) == b""


def test_a_truncated_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, [SOUND])
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(NotOurWav):
        read_wav(path)
    path.write_bytes(b"ID3 this is something else")
    with pytest.raises(NotOurWav):
        read_wav(path)
    with wave.open(str(path), "wb") as stream:
        stream.setparams((2, 2, 44_100, 0, "NONE", ""))
        stream.writeframes(SOUND[:8])
    with pytest.raises(NotOurWav):
        read_wav(path)


def test_silence_is_counted_in_samples() -> None:
    assert samples_of(0.4) == 9_600
    assert silence(3) == bytes(6)
