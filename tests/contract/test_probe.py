"""The probe trusts what can be trusted, and finds out each way in which a store can be unsafe."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from localstack.servers import Server

from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.opening import create_bucket, open_bucket
from gpujob.buckets.retrying import RetryingBucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.chance import Random
from gpujob.clock import SYSTEM
from gpujob.errors import Busy, Denied, NoSuchBucket, PreconditionFailed, Unavailable, UnsafeStore
from gpujob.probe import Verdict, ensure_safe, probe
from gpujob.probe_race import judge
from tests.servers import s3_server
from tests.sizing import pick

__all__ = ["s3_server"]

ROWS = [
    "create, absent",
    "create, present",
    "version in PUT, GET and HEAD",
    "replace, current version",
    "replace, stale version",
    "replace, missing",
    "create after delete",
    "race to create",
    "race to replace",
]


def judged(bucket: Any, rounds: int = 3) -> Verdict:
    return probe(bucket, runtime=SYSTEM, rng=Random(7), rounds=rounds)


def failed(verdict: Verdict) -> list[str]:
    return [row.name for row in verdict.checks if not row.ok and not row.seen.startswith("not run")]


def test_memory_is_safe_and_left_clean() -> None:
    bucket = MemoryBucket()
    verdict = judged(bucket)
    assert [row.name for row in verdict.checks] == ROWS
    assert (verdict.safe, verdict.reason, verdict.use_instead, verdict.etag_style) == (True, None, None, "quoted")
    assert bucket.list("").entries == ()
    ensure_safe(verdict)
    assert json.loads(json.dumps(verdict.as_dict()))["checks"][0]["name"] == "create, absent"


def test_a_folder_is_safe(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path / "store")
    verdict = judged(bucket)
    assert verdict.safe, verdict.reason
    assert bucket.list("").entries == ()


def test_a_real_server_is_safe(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    create_bucket("s3://probe-here")
    bucket = open_bucket("s3://probe-here/some/prefix")
    verdict = judged(bucket, rounds=pick(quick=3, full=20))
    assert verdict.safe, verdict.reason
    assert verdict.etag_style == "quoted"
    assert all(row.ms >= 0 for row in verdict.checks) and len(verdict.checks) == len(ROWS)
    assert bucket.list("").entries == ()
    unquoted = probe(open_bucket("s3://probe-here", etag_style="unquoted"), runtime=SYSTEM, rng=Random(1), rounds=1)
    assert (unquoted.safe, unquoted.etag_style) == (True, "unquoted")


class IgnoresIfNoneMatch(WrappedBucket):
    """Google Cloud Storage's S3 face: a create is a plain put."""

    def create(self, key: str, body: bytes) -> str:
        self.inner.delete(key)
        return self.inner.create(key, body)


class IgnoresIfMatch(WrappedBucket):
    """A replace is a plain put."""

    def replace(self, key: str, body: bytes, version: str) -> str:
        self.inner.delete(key)
        return self.inner.create(key, body)


class ReplacesWhatIsMissing(WrappedBucket):
    """Checks the version, but takes a missing object for one that matches."""

    def replace(self, key: str, body: bytes, version: str) -> str:
        missing = self.inner.head(key) is None
        return self.inner.create(key, body) if missing else self.inner.replace(key, body, version)


class WritesAndRefuses(WrappedBucket):
    """Says 412, and writes all the same."""

    def create(self, key: str, body: bytes) -> str:
        try:
            return self.inner.create(key, body)
        except PreconditionFailed:
            self.inner.delete(key)
            self.inner.create(key, body)
            raise


class SaysYesAndDoesNothing(WrappedBucket):
    """A stale replace is answered 200 and forgotten."""

    def replace(self, key: str, body: bytes, version: str) -> str:
        try:
            return self.inner.replace(key, body, version)
        except PreconditionFailed:
            return version


class RefusesAll(WrappedBucket):
    """Backblaze: 501 for any condition."""

    def create(self, key: str, body: bytes) -> str:
        raise UnsafeStore("The store does not implement this (501).")


class NeverForgets(WrappedBucket):
    """A deleted name stays taken."""

    def delete(self, key: str) -> None:
        found = self.inner.get(key)
        if found is not None:
            self.inner.replace(key, b"", found.version)


class AnotherVersionEachTime(WrappedBucket):
    """PUT answers with a version that no read confirms."""

    def create(self, key: str, body: bytes) -> str:
        return self.inner.create(key, body) + "-weak"


class Meets(WrappedBucket):
    """Checks first and writes later. The first two racers meet between the two, so both always win."""

    def __init__(self, inner: MemoryBucket, verb: str) -> None:
        super().__init__(inner)
        self.verb = verb
        self.meeting: dict[str, threading.Barrier] = {}
        self.lock = threading.Lock()

    def create(self, key: str, body: bytes) -> str:
        if self.verb != "create" or "race" not in key:
            return self.inner.create(key, body)
        return self.late(key, body, self.inner.head(key) is None)

    def replace(self, key: str, body: bytes, version: str) -> str:
        if self.verb != "replace" or "relay" not in key:
            return self.inner.replace(key, body, version)
        head = self.inner.head(key)
        return self.late(key, body, head is not None and head.version == version)

    def late(self, key: str, body: bytes, holds: bool) -> str:
        if not holds:
            raise PreconditionFailed(key)
        with self.lock:
            barrier = self.meeting.setdefault(key, threading.Barrier(2))
        barrier.wait(30)
        with self.lock:
            self.inner.delete(key)
            return self.inner.create(key, body)


def twos(verb: str) -> Callable[[], Meets]:
    return lambda: Meets(MemoryBucket(), verb)


@pytest.mark.parametrize(
    ("make", "rows", "words"),
    [
        (lambda: IgnoresIfNoneMatch(MemoryBucket()), ["create, present"], "it overwrites an object"),
        (lambda: WritesAndRefuses(MemoryBucket()), ["create, present"], "yet the body changed"),
        (lambda: IgnoresIfMatch(MemoryBucket()), ["replace, stale version", "replace, missing"], "has changed"),
        (lambda: ReplacesWhatIsMissing(MemoryBucket()), ["replace, missing"], "only be replaced"),
        (
            lambda: SaysYesAndDoesNothing(MemoryBucket()),
            ["replace, stale version", "replace, missing"],
            "taken, and nothing changed",
        ),
        (lambda: NeverForgets(MemoryBucket()), ["replace, missing", "create after delete"], "seen created"),
        (
            lambda: AnotherVersionEachTime(MemoryBucket()),
            ["version in PUT, GET and HEAD"],
            "names another version",
        ),
    ],
    ids=lambda value: value().__class__.__name__ if callable(value) else "",
)
def test_each_unsafe_store_is_found_out(make: Callable[[], WrappedBucket], rows: list[str], words: str) -> None:
    bucket = make()
    verdict = judged(bucket)
    assert not verdict.safe and failed(verdict) == rows
    assert verdict.reason is not None and words in verdict.reason and rows[0] in verdict.reason
    with pytest.raises(UnsafeStore, match="is not safe for a queue") as refusal:
        ensure_safe(verdict)
    assert refusal.value.hint is not None and "MinIO" in refusal.value.hint
    assert [row.seen for row in verdict.checks[-2:]] == ["not run, because a check before it failed"] * 2


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_two_winners_in_a_race_are_found_out(verb: str) -> None:
    verdict = probe(Meets(MemoryBucket(), verb), runtime=SYSTEM, rng=Random(3), racers=2, rounds=4)
    assert failed(verdict) == [f"race to {verb}"]
    assert verdict.reason is not None and "2 winners in round 1" in verdict.reason


def test_a_store_that_takes_no_conditions_is_refused() -> None:
    verdict = judged(RefusesAll(MemoryBucket()))
    assert not verdict.safe and len(verdict.checks) == len(ROWS)
    assert verdict.reason is not None and "does not take conditional writes" in verdict.reason


class Dialect(WrappedBucket):
    """Ceph: versions must come back without their quotes."""

    def __init__(self, inner: MemoryBucket, etag_style: str = "quoted", takes: str = "unquoted") -> None:
        super().__init__(inner)
        self.etag_style, self.takes = etag_style, takes

    def with_etag_style(self, etag_style: str) -> Dialect:
        assert isinstance(self.inner, MemoryBucket)
        return Dialect(self.inner, etag_style, self.takes)

    def replace(self, key: str, body: bytes, version: str) -> str:
        if self.etag_style != self.takes:
            raise PreconditionFailed(key)
        return self.inner.replace(key, body, version)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_unquoted_dialect_is_found_and_used(wrapped: bool) -> None:
    bucket: Any = Dialect(MemoryBucket())
    verdict = judged(RetryingBucket(bucket, SYSTEM, Random(1)) if wrapped else bucket)
    assert verdict.safe, verdict.reason
    assert verdict.etag_style == "unquoted"
    assert verdict.checks[3].seen == "replaced, with the unquoted version only"


def test_a_store_that_takes_neither_style_is_refused() -> None:
    verdict = judged(Dialect(MemoryBucket(), takes="weak"))
    assert not verdict.safe and verdict.checks[3].seen == "refused in both styles"


class Fails(WrappedBucket):
    """Every `nth` conditional write fails: before it is done, or after."""

    def __init__(self, error: Exception, *, every: int, after: bool = False) -> None:
        super().__init__(MemoryBucket())
        self.error, self.every, self.after, self.count = error, every, after, 0
        self.lock = threading.Lock()

    def _request(self, verb: str, key: str, call: Callable[[], Any]) -> Any:
        if verb not in ("create", "replace") or "three" in key:  # that one is about the answer itself
            return call()
        with self.lock:
            self.count += 1
            fails = self.count % self.every == 0
        if fails and not self.after:
            raise self.error
        answer = call()
        if fails:
            raise self.error
        return answer


def test_lost_answers_are_not_held_against_a_store() -> None:
    verdict = judged(Fails(Unavailable("the answer was lost"), every=2, after=True))
    assert verdict.safe, verdict.reason


def test_lost_requests_leave_the_verdict_open() -> None:
    bucket = Fails(Unavailable("it never arrived"), every=2)
    with pytest.raises(Unavailable, match="no clear answer to the probe"):
        judged(bucket)
    assert bucket.list("").entries == ()


def test_a_busy_store_is_asked_again() -> None:
    verdict = judged(Fails(Busy("slow down"), every=5), rounds=1)
    assert verdict.safe, verdict.reason


@pytest.mark.parametrize("error", [Denied("no"), NoSuchBucket("none")])
def test_a_store_that_cannot_be_asked_gets_no_verdict(error: Exception) -> None:
    with pytest.raises(type(error)):
        judged(Fails(error, every=1))


@pytest.mark.parametrize(
    ("told", "owner", "seen"),
    [
        ({b"a": "won", b"b": "lost"}, b"a", "one winner"),
        ({b"a": "won", b"b": "won"}, b"a", "2 winners"),
        ({b"a": "won", b"b": "lost"}, b"b", "a winner whose body is not there"),
        ({b"a": "won", b"b": "unknown"}, b"b", "a winner whose body is not there"),
        ({b"a": "unknown", b"b": "lost"}, b"a", "one winner"),
        ({b"a": "lost", b"b": "lost"}, b"a", "no winner"),
        ({b"a": "lost", b"b": "lost"}, None, "no winner"),
    ],
)
def test_a_round_is_judged_by_what_is_there(told: Any, owner: bytes | None, seen: str) -> None:
    assert judge(told, owner) == seen
