"""The bucket contract, part three: uploads and downloads of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gpujob.buckets.base import Bucket
from gpujob.errors import PreconditionFailed
from gpujob.testing.bucket_setting import BackDoor, ContractSetting

KEY = "artifacts/01jd3k8v9x2m4n6p8q0r2s4t6v/1-0a1b/audio/step-1.wav"


def fetched(bucket: Bucket, key: str, offset: int = 0) -> bytes | None:
    """All bytes of a download."""
    with bucket.download(key, offset=offset) as chunks:
        return None if chunks is None else b"".join(chunks)


def noise(size_bytes: int) -> bytes:
    """Bytes that show any cut, gap or shift."""
    blocks = (hashlib.sha256(b"%d" % number).digest() for number in range(size_bytes // 32 + 1))
    return b"".join(blocks)[:size_bytes]


class StreamContract(ContractSetting):
    """upload and download."""

    @pytest.mark.parametrize("size_bytes", [0, 1, 262_144, None])
    def test_a_file_comes_back_as_it_was(
        self, bucket: Bucket, back_door: BackDoor, tmp_path: Path, size_bytes: int | None
    ) -> None:
        body = noise(self.big_bytes if size_bytes is None else size_bytes)
        (tmp_path / "source").write_bytes(body)
        bucket.upload(KEY, tmp_path / "source", media_type="audio/wav")
        assert back_door.raw_get(KEY) == body
        assert fetched(bucket, KEY) == body
        head = bucket.head(KEY)
        assert head is not None and head.size_bytes == len(body)

    def test_upload_overwrites(self, bucket: Bucket, back_door: BackDoor, tmp_path: Path) -> None:
        old = bucket.create(KEY, b"first, and rather longer than the second")
        (tmp_path / "source").write_bytes(b"second")
        bucket.upload(KEY, tmp_path / "source")
        assert back_door.raw_get(KEY) == b"second"
        with pytest.raises(PreconditionFailed):
            bucket.replace(KEY, b"third", old)
        with pytest.raises(PreconditionFailed):
            bucket.create(KEY, b"third")
        found = bucket.get(KEY)
        assert found is not None and found.body == b"second"

    def test_download_of_a_missing_object_is_none(self, bucket: Bucket) -> None:
        assert fetched(bucket, KEY) is None
        assert fetched(bucket, KEY, offset=7) is None

    def test_download_continues_from_an_offset(self, bucket: Bucket, back_door: BackDoor) -> None:
        body = noise(self.big_bytes)
        back_door.raw_put(KEY, body)
        for offset in (0, 1, 1000, len(body) // 2, len(body) - 1):
            same = fetched(bucket, KEY, offset) == body[offset:]  # pytest would compare megabytes for minutes
            assert same, f"from {offset} on"

    def test_download_from_the_end_on_is_empty(self, bucket: Bucket) -> None:
        bucket.create(KEY, b"12345")
        assert fetched(bucket, KEY, offset=5) == b""

    def test_a_download_may_be_left_early(self, bucket: Bucket) -> None:
        bucket.create(KEY, noise(500_000))
        for _ in range(20):
            with bucket.download(KEY) as chunks:
                assert chunks is not None and next(chunks)
        assert fetched(bucket, KEY) == noise(500_000)
