"""The bucket contract fails for buckets that are broken on purpose, each in the test that names its fault."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from gpujob.buckets.base import PAGE, Found, Listing
from gpujob.buckets.memory import MemoryBucket
from gpujob.clock import SYSTEM
from gpujob.errors import NotFound, PreconditionFailed
from gpujob.testing.bucket_contract import BackDoor, BucketContract
from tests.contract.back_doors import MemoryBackDoor


class IgnoresConditions(MemoryBucket):
    """Google Cloud Storage with S3 headers: every write is a plain put."""

    def create(self, key: str, body: bytes) -> str:
        fresh = self._fresh(key, body)
        self._place(key, fresh)
        return fresh.entry.version

    def replace(self, key: str, body: bytes, version: str) -> str:
        return self.create(key, body)


class ChecksThenWrites(MemoryBucket):
    """The right answers one at a time, but two winners in a race."""

    def create(self, key: str, body: bytes) -> str:
        return self._put(key, body, None)

    def replace(self, key: str, body: bytes, version: str) -> str:
        return self._put(key, body, version)

    def _put(self, key: str, body: bytes, version: str | None) -> str:
        old = self._objects.get(key)
        if (old and old.entry.version) != version:
            raise PreconditionFailed(key)
        SYSTEM.sleep(0)
        fresh = self._fresh(key, body)
        with self._lock:
            self._place(key, fresh)
        return fresh.entry.version


class WritesTheRefused(MemoryBucket):
    """Says no, but has written already."""

    def create(self, key: str, body: bytes) -> str:
        try:
            return super().create(key, body)
        except PreconditionFailed:
            self._place(key, self._fresh(key, body))
            raise


class ReplacesTheMissing(MemoryBucket):
    """A replace creates the object where there is none."""

    def replace(self, key: str, body: bytes, version: str) -> str:
        return super().replace(key, body, version) if key in self._objects else self.create(key, body)


class RepeatsVersions(MemoryBucket):
    """A version that says only how long the body is."""

    def _fresh(self, key: str, body: bytes):  # type: ignore[no-untyped-def]
        fresh = super()._fresh(key, body)
        entry = type(fresh.entry)(key, f"v{len(body)}", len(body), fresh.entry.last_modified)
        return fresh._replace(entry=entry)


class WritesInHalves(MemoryBucket):
    """A reader may see the first half of a new body."""

    def replace(self, key: str, body: bytes, version: str) -> str:
        half = super().replace(key, body[: len(body) // 2], version)
        SYSTEM.sleep(0)
        return super().replace(key, body, half)


class FoolsItself(MemoryBucket):
    """Answers from a dictionary of its own and writes nothing to the place."""

    def back_door(self) -> BackDoor:
        return MemoryBackDoor(MemoryBucket())


class RefusesToDeleteNothing(MemoryBucket):
    def delete(self, key: str) -> None:
        if key not in self._objects:
            raise NotFound(key)
        super().delete(key)


class CutsTooShort(MemoryBucket):
    """A body of more than `max_bytes` cannot be told from one of exactly so many."""

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        return super().get(key, max_bytes=None if max_bytes is None else max(0, max_bytes - 1))


class ListsByFolder(MemoryBucket):
    """The order of a folder tree, where a/b comes before a-b."""

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        page = super().list(prefix, after=after, limit=limit)
        return Listing(tuple(sorted(page.entries, key=lambda entry: entry.key.split("/"))), page.truncated, page.date)


class ListsAfterInclusive(MemoryBucket):
    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        return super().list(prefix, after=after[:-1], limit=limit)


class ListsOnePage(MemoryBucket):
    """Never says that there is more."""

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        page = super().list(prefix, after=after, limit=limit)
        return Listing(page.entries, False, page.date)


class ListsWholeFolders(MemoryBucket):
    """Takes a prefix for a folder's name."""

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        return super().list(prefix if prefix.endswith("/") or not prefix else prefix + "/", after=after, limit=limit)


class ForgetsTheOffset(MemoryBucket):
    def download(self, key: str, *, offset: int = 0):  # type: ignore[no-untyped-def]
        return super().download(key, offset=0)


class UploadsOnce(MemoryBucket):
    """Keeps the old object when an upload meets one."""

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        if key not in self._objects:
            super().upload(key, source)


FAULTS = [
    (IgnoresConditions, "test_create_over_an_object_changes_nothing"),
    (IgnoresConditions, "test_replace_of_a_stale_version_changes_nothing"),
    (IgnoresConditions, "test_one_of_many_creators_wins"),
    (IgnoresConditions, "test_one_of_many_replacers_wins"),
    (ChecksThenWrites, "test_one_of_many_creators_wins"),
    (ChecksThenWrites, "test_one_of_many_replacers_wins"),
    (ChecksThenWrites, "test_increments_by_many_are_all_counted"),
    (ChecksThenWrites, "test_a_replace_never_brings_a_deleted_object_back"),
    (WritesTheRefused, "test_create_over_what_somebody_else_wrote_is_refused"),
    (WritesTheRefused, "test_one_of_many_creators_wins"),
    (ReplacesTheMissing, "test_replace_of_a_missing_object_creates_nothing"),
    (ReplacesTheMissing, "test_a_replace_never_brings_a_deleted_object_back"),
    (RepeatsVersions, "test_equal_bodies_get_different_versions"),
    (RepeatsVersions, "test_a_version_from_before_a_delete_is_stale"),
    (WritesInHalves, "test_readers_never_see_half_an_object"),
    (FoolsItself, "test_create_writes_the_object"),
    (RefusesToDeleteNothing, "test_delete_of_a_missing_object_is_no_error"),
    (CutsTooShort, "test_max_bytes_cuts_the_body_but_not_the_size"),
    (ListsByFolder, "test_order_is_that_of_whole_keys"),
    (ListsAfterInclusive, "test_pages_of_every_size_chain_without_gap_or_repeat"),
    (ListsOnePage, "test_thousands_of_keys_come_in_pages"),
    (ListsWholeFolders, "test_every_character_that_keys_use"),
    (ForgetsTheOffset, "test_download_continues_from_an_offset"),
    (UploadsOnce, "test_upload_overwrites"),
]


def run_one(bucket: MemoryBucket, name: str, folder: Path) -> None:
    """Runs one test of the contract on the bucket, as pytest would."""
    suite = BucketContract()
    suite.rounds = 60
    test = getattr(suite, name)
    at_hand = {"bucket": bucket, "back_door": getattr(bucket, "back_door", lambda: MemoryBackDoor(bucket))()}
    at_hand["tmp_path"] = folder
    test(**{wanted: at_hand[wanted] for wanted in inspect.signature(test).parameters})


@pytest.mark.parametrize(("broken", "name"), FAULTS, ids=[f"{broken.__name__}-{name}" for broken, name in FAULTS])
def test_the_contract_catches(broken: type[MemoryBucket], name: str, tmp_path: Path) -> None:
    run_one(MemoryBucket(), name, tmp_path)
    try:
        run_one(broken(), name, tmp_path)
    except (AssertionError, PreconditionFailed, NotFound, pytest.fail.Exception):
        return
    pytest.fail(f"{broken.__name__} passed {name}")
