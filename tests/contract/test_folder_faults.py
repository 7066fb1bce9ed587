"""A folder behind a bad network: requests fail before and after they are applied, and nothing that is reported is wrong.

Reads, listings, deletes and uploads are retried to success, so the contract holds with one request in four failing.
Conditional writes have three outcomes; each one reported is compared with what the folder really holds.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from gpujob.buckets.base import Bucket
from gpujob.buckets.failing import FailingBucket, Rates
from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.retrying import RetryingBucket
from gpujob.errors import Busy, PreconditionFailed, Unavailable
from gpujob.testing.bucket_contract import BucketContract
from gpujob.testing.races import race
from tests.contract.back_doors import FolderBackDoor
from tests.contract.instant import InstantRuntime
from tests.sizing import pick

NONE = Rates()
RACERS = 8


def faulty(root: Path, seed: int, rates: dict[str, Rates], before: float = 0.15, after: float = 0.1) -> Bucket:
    rng = random.Random(seed)
    failing = FailingBucket(FolderBucket(root), rng, rate_before=before, rate_after=after, rates=rates)
    return RetryingBucket(failing, InstantRuntime(), rng, attempts=60, patience_s=1e6)


class TestFolderWithFaults(BucketContract):
    """The contract, with faults in everything that is retried to success."""

    rounds = 60
    deletes_are_sent_once = False

    @pytest.fixture
    def bucket(self, tmp_path: Path) -> Bucket:
        return faulty(tmp_path / "store", seed=1, rates={"create": NONE, "replace": NONE})

    @pytest.fixture
    def back_door(self, tmp_path: Path) -> FolderBackDoor:
        return FolderBackDoor(tmp_path / "store")


def attempt(bucket: Bucket, key: str, body: bytes, version: str | None) -> str:
    """The outcome of one conditional write, in the protocol's words."""
    try:
        bucket.create(key, body) if version is None else bucket.replace(key, body, version)
    except PreconditionFailed:
        return "lost"
    except Unavailable:
        return "unknown"
    return "won"


@pytest.mark.parametrize("seed", range(pick(quick=4, full=20)))
def test_no_outcome_of_a_conditional_write_is_ever_wrong(seed: int, tmp_path: Path) -> None:
    """One writer and then another: won means there, lost means refused by what was there, unknown may be either."""
    rng, back_door, healthy = random.Random(seed), FolderBackDoor(tmp_path), FolderBucket(tmp_path)
    bucket = faulty(tmp_path, seed, {}, before=0.3, after=0.2)
    seen: Counter[tuple[str, bool]] = Counter()
    for number in range(300):
        key, body = f"leased/{rng.randrange(5)}.json", b"write %d" % number
        before = healthy.get(key)
        version = rng.choice([None, "stale", before.version if before else "none"])
        allowed = (before is None) if version is None else (before is not None and before.version == version)
        outcome = attempt(bucket, key, body, version)
        landed = back_door.raw_get(key) == body
        assert landed <= allowed, "a write landed against its condition"
        assert outcome != "won" or landed
        assert outcome != "lost" or not (landed or allowed)
        seen[outcome, landed] += 1
        if rng.random() < 0.2:
            bucket.delete(key)
            assert back_door.raw_get(key) is None
    assert set(seen) == {("won", True), ("lost", False), ("unknown", True), ("unknown", False)}, seen


@pytest.mark.parametrize("start", [None, b"before"], ids=["create", "replace"])
def test_racing_writers_with_faults_never_hear_a_wrong_outcome(start: bytes | None, tmp_path: Path) -> None:
    rounds, back_door, healthy = pick(quick=150, full=600), FolderBackDoor(tmp_path), FolderBucket(tmp_path)
    keys = [f"done/{number:05d}.json" for number in range(rounds)]
    versions = [None if start is None else healthy.create(key, start) for key in keys]
    buckets = [faulty(tmp_path, racer, {}, before=0.3, after=0.2) for racer in range(RACERS)]

    def write(number: int, racer: int) -> str:
        return attempt(buckets[racer], keys[number], b"racer %d" % racer, versions[number])

    seen: Counter[str] = Counter()
    for number, outcomes in enumerate(race(RACERS, rounds, write)):
        body = back_door.raw_get(keys[number])
        holder = None if body == start else int(body.split()[1])  # type: ignore[union-attr]
        winners = [racer for racer, outcome in enumerate(outcomes) if outcome == "won"]
        assert winners in ([], [holder]), f"{winners} heard that they won, {holder} is there"
        assert holder is None or outcomes[holder] in ("won", "unknown"), "the holder was told that it lost"
        assert "lost" not in outcomes or holder is not None, "lost, but to nobody"
        seen.update(outcomes)
    assert all(seen[outcome] > rounds / 10 for outcome in ("won", "lost", "unknown")), seen


def test_reading_back_settles_every_unknown_outcome(tmp_path: Path) -> None:
    """The protocol's way: an unknown write is read back, the nonce in the body says whose it is."""
    back_door, increments = FolderBackDoor(tmp_path), pick(quick=30, full=100)
    FolderBucket(tmp_path).create("counter", b"0 -")
    buckets = [faulty(tmp_path, 100 + racer, {}, before=0.2, after=0.2) for racer in range(RACERS)]

    def increment(number: int, racer: int) -> None:
        nonce = b"%d.%d" % (racer, number)
        while True:
            found = buckets[racer].get("counter")
            assert found is not None
            count, *writers = found.body.split()
            if nonce in writers:
                return  # the unknown one had landed
            body = b"%d " % (int(count) + 1) + b" ".join([nonce, *writers])
            try:
                buckets[racer].replace("counter", body, found.version)
            except (PreconditionFailed, Unavailable, Busy):
                continue
            return

    race(RACERS, increments, increment)
    final = back_door.raw_get("counter")
    assert final is not None and int(final.split()[0]) == RACERS * increments
