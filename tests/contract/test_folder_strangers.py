"""What somebody who may write to the folder puts under an object's name, or in a folder's place: links, pipes, folders."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.folder import FolderBucket
from gpujob.errors import Configuration, CorruptRecord, PreconditionFailed
from gpujob.ids import new_id
from gpujob.testing.store_setting import claim, finish
from tests.contract.fragile_disk import FragileDisk

SECRET = b"root:x:0:0"
NAME = "pending/5/a.json"


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "inside@").write_bytes(b"theirs")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_a_file(path: Path) -> None:
    secret = path.parents[3] / "passwd"
    secret.write_bytes(SECRET)
    path.symlink_to(secret)


def a_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with closing(socket.socket(socket.AF_UNIX)) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


STRANGERS = [a_pipe, a_folder, a_link_to_itself, a_link_to_nothing, a_link_to_a_file, a_socket]
Put = Callable[[Path], None]


@pytest.fixture(params=STRANGERS, ids=lambda put: put.__name__)
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FolderBucket]:
    """A store with one object, beside which stands something that is none, under the name of `NAME`."""
    store = FolderBucket(tmp_path / "store", sleep=lambda _: None)
    store.create("pending/5/b.json", b"ours")
    request.param(tmp_path / "store" / f"{NAME}@")
    yield store
    assert os.path.lexists(tmp_path / "store" / f"{NAME}@"), "it is nobody's here to remove"
    secret = tmp_path / "passwd"
    assert not secret.exists() or secret.read_bytes() == SECRET


def test_it_neither_blocks_nor_fails_a_listing(bucket: FolderBucket) -> None:
    """A pipe blocked every listing for ever; a folder or a loop of links made each one fail."""
    for prefix in ("", "pending/", "pending/5/"):
        assert [entry.key for entry in bucket.list(prefix).entries] == ["pending/5/b.json"]


def test_it_is_never_read(bucket: FolderBucket) -> None:
    """A link to a file elsewhere was an object, and its bytes went wherever an object's go."""
    for read in (bucket.get, bucket.head, lambda key: fetched(bucket, key)):
        with pytest.raises(CorruptRecord, match=r"pending/5/a\.json: .* no plain file"):
            read(NAME)


def test_it_is_neither_replaced_nor_removed(bucket: FolderBucket, tmp_path: Path) -> None:
    for write in (lambda: bucket.create(NAME, b"x"), lambda: bucket.replace(NAME, b"x", "v")):
        with pytest.raises(PreconditionFailed):
            write()
    (tmp_path / "source").write_bytes(b"x")
    with pytest.raises(Configuration, match="no plain file"):
        bucket.upload(NAME, tmp_path / "source")
    bucket.delete(NAME)


def fetched(bucket: FolderBucket, key: str) -> bytes:
    with bucket.download(key) as chunks:
        return b"".join(chunks or ())


def test_a_job_beside_them_is_done(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path / "store")
    store = JobStore(bucket)
    job = store.submit({"kind": "echo", "input": {"message": "hello"}})
    (tmp_path / "store" / "leased").mkdir()
    for number, put in enumerate(STRANGERS):
        other = new_id(1000.0 + number, store.rng)
        put(tmp_path / "store" / f"{keys.pending('normal', other, 'echo')}@")
    a_pipe(tmp_path / "store" / f"{keys.leased(new_id(2000.0, store.rng))}@")
    assert finish(claim(store))
    assert store.wait(job.id, timeout_s=5).state == "succeeded"
    assert store.fsck(repair=True) == []


def link_elsewhere(tmp_path: Path, name: str) -> Path:
    """`name` in the store is a link to a folder elsewhere, in which stands an object."""
    elsewhere = tmp_path / "elsewhere"
    FolderBucket(elsewhere).create("5/x.json", b"theirs")
    (tmp_path / "store" / name).symlink_to(elsewhere)
    return elsewhere


@pytest.mark.parametrize("name", ["leased", "leased/5"])
def test_a_folder_that_is_a_link_is_refused(name: str, tmp_path: Path) -> None:
    """A worker wrote its leases to wherever the link led."""
    bucket = FolderBucket(tmp_path / "store")
    bucket.create("leased/b.json" if "/" in name else "done/b.json", b"ours")
    elsewhere = link_elsewhere(tmp_path, name)
    before = sorted(elsewhere.rglob("*"))
    key = f"{name}/5/x.json"
    (tmp_path / "source").write_bytes(b"x")
    for verb in (
        lambda: bucket.get(key),
        lambda: bucket.head(key),
        lambda: bucket.create(f"{name}/new.json", b"x"),
        lambda: bucket.replace(key, b"x", "v"),
        lambda: bucket.delete(key),
        lambda: bucket.upload(key, tmp_path / "source"),
        lambda: bucket.download(key).__enter__(),
        lambda: bucket.list(f"{name}/"),
    ):
        with pytest.raises(Configuration, match=f"{name} is a link"):
            verb()
    assert len(bucket.list("").entries) == 1, "on its way a listing passes it over"
    assert sorted(elsewhere.rglob("*")) == before


@pytest.mark.parametrize("verb", ["create", "replace", "upload"])
def test_a_scratch_folder_that_is_a_link_is_refused(verb: str, tmp_path: Path) -> None:
    """Files were made behind it, and those older than an hour removed."""
    bucket = FolderBucket(tmp_path / "store")
    version = bucket.create("a", b"ours")
    (tmp_path / "store" / ".scratch").rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "old").write_bytes(b"theirs")
    os.utime(elsewhere / "old", (0, 0))
    (tmp_path / "store" / ".scratch").symlink_to(elsewhere)
    writes: dict[str, Callable[[], object]] = {
        "create": lambda: FolderBucket(tmp_path / "store").create("b", b"x"),
        "replace": lambda: FolderBucket(tmp_path / "store").replace("a", b"x", version),
        "upload": lambda: FolderBucket(tmp_path / "store").upload("b", elsewhere / "old"),
    }
    with pytest.raises(Configuration, match=r"\.scratch is a link"):
        writes[verb]()
    assert [file.name for file in elsewhere.iterdir()] == ["old"]


def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "store").symlink_to("real")
    bucket = FolderBucket(tmp_path / "store")
    bucket.replace("a", b"2", bucket.create("a", b"1"))
    bucket.create("leased/b", b"1")
    assert [entry.key for entry in bucket.list("").entries] == ["a", "leased/b"]
    bucket.delete("leased/b")
    assert fetched(bucket, "a") == b"2"


def test_looking_for_links_costs_a_verb_one_call(tmp_path: Path) -> None:
    disk = FragileDisk()
    bucket = FolderBucket(tmp_path, disk=disk)
    bucket.create("artifacts/01jd/1-ab/step.wav", b"x")
    disk.calls.clear()
    assert bucket.get("artifacts/01jd/1-ab/step.wav")
    assert disk.calls == ["first_link", "open", "facts", "read", "read", "close"]
