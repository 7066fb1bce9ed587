"""Downloads: whole or not at all, resumed, in parallel, never over something else."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpujob import part_files, placing
from gpujob.artifacts import download
from gpujob.errors import ChecksumMismatch, Conflict, LocalDisk, Unavailable
from tests.unit.transfer.parts import PREFIX, Recorded, artifact, named, put, tree


def body(name: str, size_bytes: int = 10_000) -> bytes:
    return (name.encode() * (size_bytes // len(name) + 1))[:size_bytes]


def test_files_arrive_under_their_names_in_order(tmp_path: Path) -> None:
    bucket = Recorded()
    files = [artifact(bucket, f"audio/step-{n}.wav", body(str(n))) for n in range(12)]
    paths = download(bucket, files, tmp_path / "out", workers=4)
    assert paths == [tmp_path / "out" / file.name for file in files]
    assert tree(tmp_path / "out") == {f"audio/step-{n}.wav": body(str(n)) for n in range(12)}


def test_an_empty_file_arrives(tmp_path: Path) -> None:
    bucket = Recorded()
    download(bucket, [artifact(bucket, "empty.txt", b"")], tmp_path)
    assert tree(tmp_path) == {"empty.txt": b""}


def test_what_is_here_already_is_not_fetched_again(tmp_path: Path) -> None:
    bucket = Recorded()
    files = [artifact(bucket, "a.wav", body("a"))]
    download(bucket, files, tmp_path)
    placed = (tmp_path / "a.wav").stat()
    bucket.opened.clear()
    download(bucket, files, tmp_path)
    assert bucket.opened == []
    assert (tmp_path / "a.wav").stat().st_ino == placed.st_ino


def test_a_different_file_is_kept_and_nothing_is_fetched(tmp_path: Path) -> None:
    bucket = Recorded()
    files = [artifact(bucket, "first.wav", body("a")), artifact(bucket, "mine.wav", body("b"))]
    (tmp_path / "mine.wav").write_bytes(b"mine")
    with pytest.raises(Conflict) as caught:
        download(bucket, files, tmp_path)
    assert "mine.wav" in caught.value.message and "--force" in (caught.value.hint or "")
    assert bucket.opened == []
    assert tree(tmp_path) == {"mine.wav": b"mine"}


def test_a_different_file_of_the_same_size_is_kept(tmp_path: Path) -> None:
    bucket = Recorded()
    (tmp_path / "mine.wav").write_bytes(b"mine")
    with pytest.raises(Conflict):
        download(bucket, [artifact(bucket, "mine.wav", b"ours")], tmp_path)
    assert (tmp_path / "mine.wav").read_bytes() == b"mine"


def test_force_replaces_a_different_file(tmp_path: Path) -> None:
    bucket = Recorded()
    (tmp_path / "mine.wav").write_bytes(b"mine")
    download(bucket, [artifact(bucket, "mine.wav", body("b"))], tmp_path, force=True)
    assert tree(tmp_path) == {"mine.wav": body("b")}


def test_force_does_not_replace_a_folder(tmp_path: Path) -> None:
    bucket = Recorded()
    (tmp_path / "thing").mkdir()
    with pytest.raises(Conflict):
        download(bucket, [artifact(bucket, "thing", body("b"))], tmp_path, force=True)
    assert (tmp_path / "thing").is_dir()


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    bucket = Recorded()
    file = artifact(bucket, "late.wav", body("b"))

    def somebody_else(name: str, done_bytes: int, total_bytes: int) -> None:
        (tmp_path / "late.wav").write_bytes(b"theirs")

    with pytest.raises(Conflict):
        download(bucket, [file], tmp_path, progress=somebody_else)
    assert (tmp_path / "late.wav").read_bytes() == b"theirs"


def test_a_broken_stream_goes_on_where_it_broke(tmp_path: Path) -> None:
    bucket = Recorded()
    file = artifact(bucket, "a.wav", body("a"))
    bucket.break_after = [3, 2]
    download(bucket, [file], tmp_path)
    assert [offset for _, offset in bucket.opened] == [0, 3000, 5000]
    assert tree(tmp_path) == {"a.wav": body("a")}


def test_a_later_call_resumes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    bucket = Recorded()
    file = artifact(bucket, "audio/a.wav", body("a"))
    bucket.break_after = [4, 0, 0, 0]
    with pytest.raises(Unavailable):
        download(bucket, [file], tmp_path)
    assert not (tmp_path / "audio").exists()
    bucket.opened.clear()
    download(bucket, [file], tmp_path)
    assert [offset for _, offset in bucket.opened] == [4000]
    assert tree(tmp_path) == {"audio/a.wav": body("a")}
    assert sorted(os.listdir(tmp_path)) == ["audio"]


def test_a_part_that_went_bad_is_fetched_anew(tmp_path: Path) -> None:
    bucket = Recorded()
    file = artifact(bucket, "a.wav", body("a"))
    bucket.break_after = [4, 0, 0, 0]
    with pytest.raises(Unavailable):
        download(bucket, [file], tmp_path)
    (part,) = (tmp_path / placing.PARTS).iterdir()
    part.write_bytes(b"x" * 4000)
    bucket.opened.clear()
    download(bucket, [file], tmp_path)
    assert [offset for _, offset in bucket.opened] == [4000, 0]
    assert tree(tmp_path) == {"a.wav": body("a")}


@pytest.mark.parametrize(
    ("in_the_store", "says"),
    [(body("a")[:-1], "ends after 9999"), (body("a") + b"x", "goes on after"), (body("b"), "sha256")],
    ids=["truncated", "longer", "altered"],
)
def test_damage_is_tried_once_more_and_then_named(tmp_path: Path, in_the_store: bytes, says: str) -> None:
    bucket = Recorded()
    file = artifact(bucket, "a.wav", body("a"))
    put(bucket, file.key, in_the_store)
    with pytest.raises(ChecksumMismatch, match=says):
        download(bucket, [file], tmp_path)
    assert [offset for _, offset in bucket.opened].count(0) == 2
    assert os.listdir(tmp_path) == []


def test_damage_leaves_an_existing_target_alone_even_with_force(tmp_path: Path) -> None:
    bucket = Recorded()
    file = artifact(bucket, "a.wav", body("a"))
    put(bucket, file.key, body("b"))
    (tmp_path / "a.wav").write_bytes(b"mine")
    with pytest.raises(ChecksumMismatch):
        download(bucket, [file], tmp_path, force=True)
    assert tree(tmp_path) == {"a.wav": b"mine"}


def test_a_missing_object_is_said(tmp_path: Path) -> None:
    bucket = Recorded()
    with pytest.raises(ChecksumMismatch, match=r"a\.wav is missing in the store"):
        download(bucket, [named("a.wav", f"{PREFIX}gone", b"x")], tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_shows_nothing_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Recorded()
    file = artifact(bucket, "a.wav", body("a"))
    real = part_files.write_at

    def full(fd: int, data: bytes, offset: int) -> None:
        if offset >= 5000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd, data, offset)

    monkeypatch.setattr(part_files, "write_at", full)
    with pytest.raises(LocalDisk, match="No space left"):
        download(bucket, [file], tmp_path)
    assert os.listdir(tmp_path) == [placing.PARTS]
    monkeypatch.setattr(part_files, "write_at", real)
    bucket.opened.clear()
    download(bucket, [file], tmp_path)
    assert [offset for _, offset in bucket.opened] == [5000]
    assert tree(tmp_path) == {"a.wav": body("a")}


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LocalDisk, match="file"):
        download(Recorded(), [], tmp_path / "file" / "out")


def test_four_files_are_fetched_at_the_same_time(tmp_path: Path) -> None:
    bucket = Recorded()
    files = [artifact(bucket, f"{n}.wav", body(str(n))) for n in range(4)]
    together = threading.Barrier(4, timeout=120)
    unblocked = bucket._chunks

    def meet(content: bytes, limit: int | None):  # type: ignore[no-untyped-def]
        together.wait()
        yield from unblocked(content, limit)

    bucket._chunks = meet  # type: ignore[method-assign]
    download(bucket, files, tmp_path, workers=4)
    assert len(tree(tmp_path)) == 4


def test_two_files_of_one_content_do_not_meet(tmp_path: Path) -> None:
    bucket = Recorded()
    files = [artifact(bucket, f"{n}.wav", body("same")) for n in range(6)]
    download(bucket, files, tmp_path, workers=6)
    assert tree(tmp_path) == {f"{n}.wav": body("same") for n in range(6)}


@pytest.mark.parametrize("force", [False, True])
def test_downloads_into_one_folder_agree(tmp_path: Path, force: bool) -> None:
    for round_ in range(20):
        bucket = Recorded()
        files = [artifact(bucket, f"{n}.wav", body(str(n))) for n in range(4)]
        out = tmp_path / str(round_)
        start = threading.Barrier(3, timeout=120)

        def run(_: int, start=start, bucket=bucket, files=files, out=out) -> list[Path]:  # type: ignore[no-untyped-def]
            start.wait()
            return download(bucket, files, out, force=force)

        with ThreadPoolExecutor(3) as pool:
            assert [len(paths) for paths in pool.map(run, range(3))] == [4, 4, 4]
        assert tree(out) == {f"{n}.wav": body(str(n)) for n in range(4)}
        assert placing.PARTS not in os.listdir(out)


def test_a_part_whose_owner_died_while_placing_it_is_no_trap(tmp_path: Path) -> None:
    bucket = Recorded()
    file = artifact(bucket, "a.wav", body("a"))
    bucket.break_after = [4, 0, 0, 0]
    with pytest.raises(Unavailable):
        download(bucket, [file], tmp_path)
    (part,) = (tmp_path / placing.PARTS).iterdir()
    os.link(part, tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_bytes()
    download(bucket, [file], tmp_path)
    assert (tmp_path / "a.wav").read_bytes() == body("a")
    assert (tmp_path / "elsewhere").read_bytes() == before


def test_one_failure_ends_the_others_and_is_the_one_raised(tmp_path: Path) -> None:
    bucket = Recorded()
    good = [artifact(bucket, f"{n}.wav", body(str(n))) for n in range(3)]
    with pytest.raises(ChecksumMismatch, match="bad"):
        download(bucket, [named("bad.wav", f"{PREFIX}gone", b"x"), *good], tmp_path)
    for name, content in tree(tmp_path).items():
        assert name.startswith(placing.PARTS) or content == body(name[0])


def test_progress_grows_to_the_whole(tmp_path: Path) -> None:
    bucket = Recorded()
    files = [artifact(bucket, f"{n}.wav", body(str(n))) for n in range(3)]
    seen: dict[str, list[int]] = {}
    download(bucket, files, tmp_path, progress=lambda name, done, total: seen.setdefault(name, []).append(done))
    for done in seen.values():
        assert done == sorted(done) and done[-1] == 10_000
    assert set(seen) == {"0.wav", "1.wav", "2.wav"}


def test_a_file_system_without_links_and_locks_still_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "nothing of the kind here")

    monkeypatch.setattr(placing.os, "link", refuse)
    monkeypatch.setattr(part_files.fcntl, "flock", refuse)
    bucket = Recorded()
    download(bucket, [artifact(bucket, "a.wav", body("a"))], tmp_path)
    assert tree(tmp_path) == {"a.wav": body("a")}
