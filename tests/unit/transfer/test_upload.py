"""Artifacts go up as what they were when they were hashed; inputs go up once, by content."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from gpujob import inputs
from gpujob.artifacts import download, upload
from gpujob.buckets.memory import MemoryBucket
from gpujob.clock import SYSTEM
from gpujob.errors import ChecksumMismatch, InvalidSpec, JobReleased, LocalDisk, UnsafeName
from gpujob.protocol.context import Context
from gpujob.records import QueueConfig
from tests.unit.transfer.parts import PREFIX, Recorded, put


class Counted(MemoryBucket):
    """Counts uploads; its clock is set by hand; may change a file in the middle of its upload."""

    def __init__(self) -> None:
        self.time_s = 1000.0
        super().__init__(now=lambda: self.time_s)
        self.uploads: list[str] = []
        self.meanwhile = lambda source: None

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        self.uploads.append(key)
        self.meanwhile(source)
        super().upload(key, source, media_type=media_type)


@dataclass
class File:
    name: str
    source: str


def queue(bucket: MemoryBucket) -> Context:
    return Context(bucket, SYSTEM, random.Random(1), QueueConfig(retention_s=1000))


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


# -- artifacts


def test_an_artifact_comes_back_as_it_went(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    (tmp_path / "made.wav").write_bytes(b"sound")
    made = upload(bucket, PREFIX, "audio/a.wav", tmp_path / "made.wav", media_type="audio/wav")
    assert made.key == f"{PREFIX}audio/a.wav"
    assert (made.size_bytes, made.sha256, made.media_type) == (5, sha256(b"sound"), "audio/wav")
    (path,) = download(bucket, [made], tmp_path / "out")
    assert path.read_bytes() == b"sound"


@pytest.mark.parametrize("name", ["../a", "", "log/00000001.txt", "LOG/x"])
def test_a_bad_artifact_name_is_refused(tmp_path: Path, name: str) -> None:
    bucket = Counted()
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(UnsafeName):
        upload(bucket, PREFIX, name, tmp_path / "a", media_type="text/plain")
    assert bucket.uploads == []


def test_a_missing_artifact_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LocalDisk, match="cannot read"):
        upload(MemoryBucket(), PREFIX, "a", tmp_path / "none", media_type="text/plain")


@pytest.mark.parametrize("change", [b"other", b"longer than before"])
def test_an_artifact_that_changes_during_its_upload_is_noticed(tmp_path: Path, change: bytes) -> None:
    bucket = Counted()
    (tmp_path / "a").write_bytes(b"first")
    bucket.meanwhile = lambda source: source.write_bytes(change)
    with pytest.raises(ChecksumMismatch, match="changed while"):
        upload(bucket, PREFIX, "a", tmp_path / "a", media_type="text/plain")


# -- inputs


def test_an_input_goes_up_once(tmp_path: Path) -> None:
    bucket = Counted()
    (tmp_path / "in.mp4").write_bytes(b"film")
    (tmp_path / "copy.mp4").write_bytes(b"film")
    files = [File("in.mp4", "./in.mp4"), File("again.mp4", "copy.mp4")]
    first = inputs.upload(queue(bucket), files, base_dir=tmp_path)
    second = inputs.upload(queue(bucket), files, base_dir=tmp_path)
    assert bucket.uploads == [f"inputs/sha256/{sha256(b'film')}"]
    assert first == second
    assert [(file.name, file.size_bytes) for file in first] == [("in.mp4", 4), ("again.mp4", 4)]


@pytest.mark.parametrize(("age_s", "uploads"), [(499, 1), (501, 2)])
def test_an_input_older_than_half_the_retention_goes_up_again(tmp_path: Path, age_s: float, uploads: int) -> None:
    bucket = Counted()
    (tmp_path / "in.mp4").write_bytes(b"film")
    files = [File("in.mp4", "in.mp4")]
    inputs.upload(queue(bucket), files, base_dir=tmp_path)
    bucket.time_s += age_s
    inputs.upload(queue(bucket), files, base_dir=tmp_path)
    assert len(bucket.uploads) == uploads


def test_an_input_of_the_wrong_size_in_the_store_goes_up_again(tmp_path: Path) -> None:
    bucket = Counted()
    (tmp_path / "in.mp4").write_bytes(b"film")
    put(bucket, f"inputs/sha256/{sha256(b'film')}", b"fi")
    (file,) = inputs.upload(queue(bucket), [File("in.mp4", "in.mp4")], base_dir=tmp_path)
    assert inputs.fetch(bucket, [file], tmp_path / "work")["in.mp4"].read_bytes() == b"film"


def test_every_unreadable_source_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    bucket = Counted()
    (tmp_path / "good").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    files = [File("good", "good"), File("gone", "gone.mp4"), File("folder", "folder")]
    with pytest.raises(InvalidSpec) as caught:
        inputs.upload(queue(bucket), files, base_dir=tmp_path)
    assert "files[1].source: there is no file" in caught.value.message
    assert "files[2].source" in caught.value.message and "not a file" in caught.value.message
    assert str(tmp_path) in (caught.value.hint or "")
    assert bucket.uploads == []


def test_an_input_that_changes_during_its_upload_leaves_no_false_content(tmp_path: Path) -> None:
    bucket = Counted()
    (tmp_path / "in.mp4").write_bytes(b"film")
    bucket.meanwhile = lambda source: source.write_bytes(b"mlif")
    with pytest.raises(InvalidSpec, match="changed while"):
        inputs.upload(queue(bucket), [File("in.mp4", "in.mp4")], base_dir=tmp_path)
    assert bucket.head(f"inputs/sha256/{sha256(b'film')}") is None


def test_progress_of_inputs_ends_at_the_whole(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"film")
    seen: list[tuple[str, int, int]] = []
    inputs.upload(
        queue(MemoryBucket()),
        [File("in.mp4", "in.mp4")],
        base_dir=tmp_path,
        progress=lambda *told: seen.append(told),
    )
    assert seen == [("in.mp4", 0, 4), ("in.mp4", 4, 4)]


def test_the_worker_refuses_an_altered_input(tmp_path: Path) -> None:
    bucket = Counted()
    (tmp_path / "in.mp4").write_bytes(b"film")
    (file,) = inputs.upload(queue(bucket), [File("sub/in.mp4", "in.mp4")], base_dir=tmp_path)
    put(bucket, f"inputs/sha256/{file.sha256}", b"evil")
    with pytest.raises(ChecksumMismatch, match=r"sub/in\.mp4"):
        inputs.fetch(bucket, [file], tmp_path / "work")


def test_inputs_come_down_until_somebody_says_stop(tmp_path: Path) -> None:
    bucket = Recorded(chunk_bytes=1000)
    files = []
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(name.encode() * 100_000)
        files += inputs.upload(queue(bucket), [File(name, name)], base_dir=tmp_path)
    chunks = iter(range(20))

    def check() -> None:
        if next(chunks, None) is None:
            raise JobReleased("this worker is leaving")

    with pytest.raises(JobReleased):
        inputs.fetch(bucket, files, tmp_path / "work", check=check)
    assert not [path for path in (tmp_path / "work").iterdir() if path.name in ("a", "b", "c")]
    assert sum(path.stat().st_size for path in (tmp_path / "work").rglob("*") if path.is_file()) <= 20_000
    assert len(inputs.fetch(bucket, files, tmp_path / "work")) == 3


def test_no_inputs_make_no_folder(tmp_path: Path) -> None:
    assert inputs.fetch(MemoryBucket(), [], tmp_path / "work") == {}
    assert not (tmp_path / "work").exists()
