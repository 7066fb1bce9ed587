"""The decorators: counting, failing and retrying, each by itself and on the contract."""

from __future__ import annotations

import collections
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gpujob.buckets.base import Bucket
from gpujob.buckets.counting import CountingBucket, billed
from gpujob.buckets.failing import FailingBucket, Rates
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.retrying import RetryingBucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.errors import BucketError, Busy, Denied, PreconditionFailed, Unavailable
from gpujob.testing.bucket_contract import BackDoor, BucketContract
from tests.contract.back_doors import MemoryBackDoor
from tests.contract.instant import InstantRuntime

KEY = "leased/01jd.json"
VERBS: dict[str, Callable[[Bucket, Path], object]] = {
    "get": lambda bucket, file: bucket.get(KEY),
    "head": lambda bucket, file: bucket.head(KEY),
    "list": lambda bucket, file: bucket.list("leased/"),
    "delete": lambda bucket, file: bucket.delete(KEY),
    "create": lambda bucket, file: bucket.create("done/new.json", b"new"),
    "replace": lambda bucket, file: bucket.replace(KEY, b"new", bucket_version(bucket)),
    "upload": lambda bucket, file: bucket.upload(KEY, file),
    "download": lambda bucket, file: opened(bucket),
}
REPEATABLE = [verb for verb in VERBS if verb not in ("create", "replace")]


def bucket_version(bucket: Bucket) -> str:
    """The version at the very bottom, asked past all decorators."""
    while isinstance(bucket, WrappedBucket):
        bucket = bucket.inner
    head = bucket.head(KEY)
    return head.version if head else "none"


def opened(bucket: Bucket) -> bytes | None:
    with bucket.download(KEY) as chunks:
        return None if chunks is None else b"".join(chunks)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "source").write_bytes(b"from a file")
    return tmp_path / "source"


@pytest.fixture
def memory() -> MemoryBucket:
    bucket = MemoryBucket(url="memory://under-all")
    bucket.create(KEY, b"old")
    return bucket


class Scripted(WrappedBucket):
    """Raises what the script says, one entry for each request; `None` lets it pass, `landed` applies it first."""

    def __init__(self, inner: Bucket, *script: BucketError | None, landed: bool = False) -> None:
        super().__init__(inner)
        self.script, self.landed = list(script), landed
        self.sent: list[tuple[str, str]] = []

    def _request(self, verb, key, call):  # type: ignore[no-untyped-def]
        self.sent.append((verb, key))
        error = self.script.pop(0) if self.script else None
        if error is None:
            return call()
        if self.landed:
            call()
        raise error


class TestAllDecoratorsTogether(BucketContract):
    """A stack of decorators without faults is as good as the bucket beneath."""

    @pytest.fixture
    def bucket(self) -> Bucket:
        self.beneath = MemoryBucket()
        counting = CountingBucket(FailingBucket(self.beneath, random.Random(1)))
        return RetryingBucket(counting, InstantRuntime(), random.Random(1))

    @pytest.fixture
    def back_door(self, bucket: Bucket) -> BackDoor:
        return MemoryBackDoor(self.beneath)


def test_the_url_is_the_inner_ones(memory: MemoryBucket) -> None:
    assert WrappedBucket(CountingBucket(memory)).url == "memory://under-all"


# counting


def test_counts_by_verb_and_prefix(memory: MemoryBucket, file: Path) -> None:
    bucket = CountingBucket(memory)
    for name, verb in VERBS.items():
        if name != "replace":  # its turn comes after a delete
            verb(bucket, file)
    bucket.list("")
    bucket.head("queue.json")
    expected = {(verb, "leased"): 1 for verb in VERBS if verb not in ("create", "replace")}
    expected |= {("create", "done"): 1, ("list", ""): 1, ("head", "queue.json"): 1}
    assert bucket.counts == Counter(expected)


def test_a_refused_request_counts_too(memory: MemoryBucket) -> None:
    bucket = CountingBucket(memory)
    with pytest.raises(PreconditionFailed):
        bucket.create(KEY, b"")
    with pytest.raises(PreconditionFailed):
        bucket.replace(KEY, b"", "stale")
    assert bucket.billed() == {"put": 2}


def test_the_difference_since_a_snapshot(memory: MemoryBucket) -> None:
    bucket = CountingBucket(memory)
    bucket.get(KEY)
    earlier = bucket.snapshot()
    bucket.get(KEY)
    bucket.delete(KEY)
    assert bucket.since(earlier) == {("get", "leased"): 1, ("delete", "leased"): 1}
    assert earlier == {("get", "leased"): 1}, "a snapshot stays as it was"
    assert bucket.billed(earlier) == {"get": 1, "delete": 1}


def test_the_billed_classes() -> None:
    counts = Counter({(verb, "x"): 10**number for number, verb in enumerate(VERBS)})
    assert billed(counts) == {"get": 10_000_011, "list": 100, "delete": 1000, "put": 1_110_000}


# failing


def rates_of_one(verb: str, **rates: float) -> dict[str, Rates]:
    return {verb: Rates(**rates)}


@pytest.mark.parametrize("verb", VERBS)
def test_busy_means_that_nothing_was_applied(verb: str, memory: MemoryBucket, file: Path) -> None:
    below = CountingBucket(memory)
    bucket = FailingBucket(below, random.Random(1), rates=rates_of_one(verb, before=1.0, busy_share=1.0))
    with pytest.raises(Busy):
        VERBS[verb](bucket, file)
    assert not below.counts and bucket.faults == {(verb, "busy"): 1}


@pytest.mark.parametrize("verb", VERBS)
def test_unavailable_before_and_after_look_the_same(verb: str, memory: MemoryBucket, file: Path) -> None:
    below = CountingBucket(memory)
    before = FailingBucket(below, random.Random(1), rates=rates_of_one(verb, before=1.0, busy_share=0.0))
    after = FailingBucket(below, random.Random(1), rates=rates_of_one(verb, after=1.0))
    with pytest.raises(Unavailable) as said_before:
        VERBS[verb](before, file)
    assert not below.counts
    with pytest.raises(Unavailable) as said_after:
        VERBS[verb](after, file)
    assert below.counts.total() == 1 and str(said_before.value) == str(said_after.value)


def test_a_refusal_may_be_lost_on_the_way_back(memory: MemoryBucket) -> None:
    bucket = FailingBucket(memory, random.Random(1), rate_after=1.0)
    with pytest.raises(Unavailable):
        bucket.create(KEY, b"")


def test_a_configuration_error_is_not_hidden(memory: MemoryBucket) -> None:
    class Locked(WrappedBucket):
        def _request(self, verb, key, call):  # type: ignore[no-untyped-def]
            raise Denied("no")

    with pytest.raises(Denied):
        FailingBucket(Locked(memory), random.Random(1), rate_after=1.0).get(KEY)


def outcomes(seed: int, calls: int = 200) -> list[str]:
    bucket = FailingBucket(MemoryBucket(), random.Random(seed), rate_before=0.2, rate_after=0.2)
    said = []
    for number in range(calls):
        try:
            bucket.create(f"{number % 50}", b"")
            said.append("won")
        except BucketError as error:
            said.append(type(error).__name__)
    return said


def test_the_same_seed_gives_the_same_faults() -> None:
    assert outcomes(7) == outcomes(7) != outcomes(8)
    assert set(outcomes(7)) == {"won", "Busy", "Unavailable", "PreconditionFailed"}


def test_a_rate_does_not_move_the_faults_of_other_verbs() -> None:
    def faults(rates: dict[str, Rates]) -> list[int]:
        bucket = FailingBucket(MemoryBucket(), random.Random(3), rate_before=0.3, rates=rates)
        failed = []
        for number in range(100):
            try:
                bucket.head("a") if number % 2 else bucket.get("a")
            except BucketError:
                failed.append(number)
        return failed

    usual, quiet = faults({}), faults({"get": Rates()})
    assert quiet == [number for number in usual if number % 2]


def test_a_stream_breaks_midway(memory: MemoryBucket) -> None:
    memory.replace(KEY, b"x" * 3_000_000, bucket_version(memory))
    bucket = FailingBucket(memory, random.Random(1), rate_broken=1.0)
    got = bytearray()
    with bucket.download(KEY) as chunks, pytest.raises(Unavailable):
        collections.deque(map(got.extend, chunks or ()), maxlen=0)
    assert 0 < len(got) < 3_000_000 and bucket.faults == {("download", "broken"): 1}


# retrying


def retrying(inner: Bucket, **settings: float) -> tuple[RetryingBucket, InstantRuntime]:
    runtime = InstantRuntime()
    return RetryingBucket(inner, runtime, random.Random(5), **settings), runtime  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [Busy("busy"), Unavailable("broken")])
@pytest.mark.parametrize("landed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("verb", REPEATABLE)
def test_what_may_be_repeated_is(verb: str, landed: bool, error: BucketError, memory: MemoryBucket, file: Path) -> None:
    below = Scripted(memory, error, error, landed=landed)
    bucket, runtime = retrying(below)
    VERBS[verb](bucket, file)
    assert [sent for sent, _ in below.sent] == [verb] * 3
    assert len(runtime.naps) == 2


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_a_write_that_was_put_off_is_not_sent_again_by_a_laptop_that_slept(
    verb: str, memory: MemoryBucket, file: Path
) -> None:
    """The first send may have landed all the same, and its job may have ended and been removed within the hour."""
    below = Scripted(memory, Busy("slow down"))
    bucket, runtime = retrying(below)
    runtime.sleep = lambda seconds: runtime.naps.append(3600.0)  # type: ignore[method-assign]
    with pytest.raises(Busy, match="this machine slept meanwhile"):
        VERBS[verb](bucket, file)
    assert len(below.sent) == 1


@pytest.mark.parametrize("verb", REPEATABLE)
def test_it_gives_up_with_the_last_error(verb: str, memory: MemoryBucket, file: Path) -> None:
    below = Scripted(memory, *(Unavailable(f"number {number}") for number in range(9)))
    bucket, runtime = retrying(below, attempts=4)
    with pytest.raises(Unavailable, match="number 3"):
        VERBS[verb](bucket, file)
    assert len(below.sent) == 4 and len(runtime.naps) == 3


def test_waits_double_up_to_the_longest_and_are_jittered(memory: MemoryBucket) -> None:
    bucket, runtime = retrying(
        Scripted(memory, *[Busy("")] * 7), attempts=8, patience_s=100, first_wait_s=1.0, longest_wait_s=10.0
    )
    bucket.get(KEY)
    for nap, full in zip(runtime.naps, [1, 2, 4, 8, 10, 10, 10], strict=True):
        assert full / 2 <= nap <= full
    assert len({nap / full for nap, full in zip(runtime.naps, [1, 2, 4, 8, 10, 10, 10], strict=True)}) == 7


def test_no_send_begins_after_its_patience(memory: MemoryBucket) -> None:
    below = Scripted(memory, *[Busy("")] * 99)
    bucket, runtime = retrying(below, attempts=99, patience_s=20.0, first_wait_s=1.0, longest_wait_s=5.0)
    with pytest.raises(Busy):
        bucket.get(KEY)
    assert 15.0 <= sum(runtime.naps) <= 20.0
    assert len(below.sent) == len(runtime.naps) + 1


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_a_conditional_write_is_sent_again_after_busy(verb: str, memory: MemoryBucket, file: Path) -> None:
    below = Scripted(memory, Busy(""), Busy(""))
    bucket, runtime = retrying(below)
    assert VERBS[verb](bucket, file)
    assert [sent for sent, _ in below.sent] == [verb] * 3 and len(runtime.naps) == 2


@pytest.mark.parametrize("landed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("verb", ["create", "replace"])
def test_a_conditional_write_that_broke_is_never_sent_again(
    verb: str, landed: bool, memory: MemoryBucket, file: Path
) -> None:
    below = Scripted(memory, Unavailable("broken"), landed=landed)
    bucket, runtime = retrying(below)
    with pytest.raises(Unavailable, match="broken"):
        VERBS[verb](bucket, file)
    assert len(below.sent) == 1 and runtime.naps == []


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_lost_to_the_first_send_is_lost(verb: str, memory: MemoryBucket, file: Path) -> None:
    bucket, _ = retrying(Scripted(memory, PreconditionFailed("412")))
    with pytest.raises(PreconditionFailed):
        VERBS[verb](bucket, file)


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_lost_after_a_resend_is_unknown(verb: str, memory: MemoryBucket, file: Path) -> None:
    """The Busy was a lie: the first send had landed, and the second one meets it."""
    bucket, _ = retrying(Scripted(memory, Busy("a gateway's 503"), landed=True))
    version = bucket_version(memory)
    write = {
        "create": lambda: bucket.create("done/new.json", b"new"),
        "replace": lambda: bucket.replace(KEY, b"new", version),
    }
    with pytest.raises(Unavailable, match="sent 2 times"):
        write[verb]()
    found = memory.get("done/new.json" if verb == "create" else KEY)
    assert found is not None and found.body == b"new"


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_busy_to_the_end_after_a_resend_is_unknown(verb: str, memory: MemoryBucket, file: Path) -> None:
    bucket, _ = retrying(Scripted(memory, *[Busy("")] * 9), attempts=3)
    with pytest.raises(Unavailable, match="sent 3 times"):
        VERBS[verb](bucket, file)


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_busy_without_a_resend_stays_busy(verb: str, memory: MemoryBucket, file: Path) -> None:
    bucket, _ = retrying(Scripted(memory, *[Busy("")] * 9), attempts=1)
    with pytest.raises(Busy):
        VERBS[verb](bucket, file)


def test_a_resend_carries_the_same_bytes_and_condition() -> None:
    seen = []

    class Watching(MemoryBucket):
        def replace(self, key: str, body: bytes, version: str) -> str:
            seen.append((key, body, version))
            if len(seen) < 3:
                raise Busy("")
            return super().replace(key, body, version)

    below = Watching()
    version = below.create(KEY, b"old")
    retrying(below)[0].replace(KEY, b"new", version)
    assert seen == [(KEY, b"new", version)] * 3


def test_other_errors_pass_at_once(memory: MemoryBucket) -> None:
    class Locked(Scripted):
        def _request(self, verb, key, call):  # type: ignore[no-untyped-def]
            self.sent.append((verb, key))
            raise Denied("no")

    below = Locked(memory)
    bucket, runtime = retrying(below)
    for verb in (lambda: bucket.get(KEY), lambda: bucket.create(KEY, b""), lambda: opened(bucket)):
        with pytest.raises(Denied):
            verb()
    assert len(below.sent) == 3 and runtime.naps == []


def test_a_broken_stream_is_the_callers_to_resume(memory: MemoryBucket) -> None:
    body = bytes(range(250)) * 20_000
    memory.replace(KEY, body, bucket_version(memory))
    failing = FailingBucket(memory, random.Random(11), rate_before=0.3, rate_broken=0.5)
    bucket, _ = retrying(failing, attempts=30)
    got, resumed = bytearray(), 0
    while len(got) < len(body):
        try:
            with bucket.download(KEY, offset=len(got)) as chunks:
                assert chunks is not None
                for chunk in chunks:
                    got += chunk
        except Unavailable:
            resumed += 1
    assert bytes(got) == body and resumed == failing.faults["download", "broken"] > 0


def test_an_error_of_the_reader_is_its_own(memory: MemoryBucket) -> None:
    below = Scripted(memory)
    bucket, runtime = retrying(below)
    with pytest.raises(Unavailable, match="of the reader"), bucket.download(KEY):
        raise Unavailable("of the reader")
    assert len(below.sent) == 1 and runtime.naps == []
