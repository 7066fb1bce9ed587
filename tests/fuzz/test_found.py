"""What the fuzzers found, each as a test named after what went wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpujob import JobStore, MemoryBucket
from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.opening import parse_url
from gpujob.errors import Configuration, InvalidSpec
from gpujob.settings import load
from gpujob.specs import parse_object
from gpujob_worker.speech.wav import NotOurWav, read_wav
from gpujob_worker.video.probing import from_banner, from_ffprobe


def test_a_file_whose_name_is_no_text_ended_every_listing_of_a_folder_store(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.create("pending/a.json", b"{}")
    for folder in (tmp_path, tmp_path / "pending"):
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe@")).write_bytes(b"what is this")
    assert [entry.key for entry in bucket.list("").entries] == ["pending/a.json"]


@pytest.mark.parametrize(
    "url", ["s3://[", "s3://[]", "file://[x", "s3://[::1]x/y", "~\0", "file:///a%00b", "file:///\0"]
)
def test_a_bracket_in_a_stores_url_was_a_traceback(url: str) -> None:
    with pytest.raises(Configuration, match=r"not the URL of a store|does not name"):
        parse_url(url)


def test_the_home_of_a_user_who_is_not_there_was_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(Configuration, match="not the URL of a store"):
        parse_url("~nobody-of-that-name/queue")
    (tmp_path / "gpujob.toml").write_text('store = "~nobody-of-that-name/queue"')
    loaded = load(folder=tmp_path, environ={"HOME": str(tmp_path)})
    assert loaded.settings.store.endswith("/~nobody-of-that-name/queue")
    spec = parse_object(
        {"kind": "echo", "input": {"message": "hi"}, "files": [{"name": "a", "source": "~nobody-here/a"}]}
    )
    with pytest.raises(InvalidSpec, match="there is no file"):
        JobStore(MemoryBucket()).submit(spec, base_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "body"), [(".env", b"\xff\xfe"), ("gpujob.toml", b"a = " + b"[" * 20_000), ("gpujob.toml", b"\xff")]
)
def test_a_settings_file_that_is_no_text_or_too_deep_was_a_traceback(tmp_path: Path, name: str, body: bytes) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(Configuration, match=name):
        load(folder=tmp_path, environ={"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"streams": [5], "format": {}}',
        '{"streams": [{"codec_type": "video", "width": "wide", "height": 1}], "format": {}}',
        '{"streams": [{"codec_type": "audio", "sample_rate": 1e999}], "format": {}}',
        '{"streams": 7, "format": {}}',
        '{"format": 7}',
    ],
)
def test_a_probe_that_says_nonsense_says_nothing(text: str) -> None:
    assert from_ffprobe(text) is None


def test_a_chunk_longer_than_its_wav_file_was_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\xc0]\0\0\x80\xbb\0\0\2\0\x10\0\0\0ta\4\0\0\0abcd")
    with pytest.raises(NotOurWav):
        read_wav(path)


def test_a_banner_with_endless_numbers_is_no_traceback() -> None:
    nines = "9" * 10_000
    said = f"Input #0, mov, from 'x':\n  Duration: {nines}:00:00.0\n  Stream #0:0: Video: h264, {nines}x{nines}\n"
    said += f"  Stream #0:1: Audio: aac, {nines} Hz, {nines} channels\n      displaymatrix: rotation of ... degrees\n"
    assert from_banner(said) is not None
