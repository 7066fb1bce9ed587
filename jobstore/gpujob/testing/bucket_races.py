"""The bucket contract, part four: races. Each starts from a barrier, and every winner is checked against the back door."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence

import pytest

from gpujob.buckets.base import Bucket
from gpujob.testing.bucket_setting import BackDoor, ContractSetting
from gpujob.testing.races import decided, race, settled


def sealed(text: str) -> bytes:
    """A body of 40 kB that carries its own checksum, so that a mixed or cut one shows."""
    body = text.encode() * (40_000 // len(text))
    return hashlib.sha256(body).hexdigest().encode() + body


def intact(body: bytes) -> bool:
    """Whether a body is one that `sealed` made, whole."""
    return hashlib.sha256(body[64:]).hexdigest().encode() == body[:64]


def only_winner(versions: Sequence[str | None]) -> int:
    """The one contender that got a version."""
    winners = [racer for racer, version in enumerate(versions) if version is not None]
    assert len(winners) == 1, f"{len(winners)} of {len(versions)} contenders won: {winners}"
    return winners[0]


class RaceContract(ContractSetting):
    """Many contenders, one winner."""

    def test_one_of_many_creators_wins(self, bucket: Bucket, back_door: BackDoor) -> None:
        def create(number: int, racer: int) -> str | None:
            return decided(lambda: bucket.create(f"done/{number:05d}.json", b"%d of %d" % (racer, number)))

        for number, versions in enumerate(race(self.racers, self.rounds, create)):
            self._check(bucket, back_door, f"done/{number:05d}.json", number, versions)

    def test_one_of_many_replacers_wins(self, bucket: Bucket, back_door: BackDoor) -> None:
        keys = [f"leased/{number:05d}.json" for number in range(self.rounds)]
        old = [bucket.create(key, b"the first of " + key.encode()) for key in keys]

        def replace(number: int, racer: int) -> str | None:
            return decided(lambda: bucket.replace(keys[number], b"%d of %d" % (racer, number), old[number]))

        for number, versions in enumerate(race(self.racers, self.rounds, replace)):
            self._check(bucket, back_door, keys[number], number, versions)

    def _check(
        self, bucket: Bucket, back_door: BackDoor, key: str, number: int, versions: Sequence[str | None]
    ) -> None:
        winner = only_winner(versions)
        body = b"%d of %d" % (winner, number)
        assert back_door.raw_get(key) == body
        found = bucket.get(key)
        assert found is not None and (found.body, found.version) == (body, versions[winner])

    def test_creators_and_deleters(self, bucket: Bucket, back_door: BackDoor) -> None:
        def act(number: int, racer: int) -> str | None:
            key = f"pending/5/{number:05d}.json"
            if racer % 4 == 0:
                settled(lambda: bucket.delete(key))
                return None
            return decided(lambda: bucket.create(key, b"%d of %d" % (racer, number)))

        deleters = len(range(0, self.racers, 4))
        for number, versions in enumerate(race(self.racers, self.rounds, act)):
            winners = [racer for racer, version in enumerate(versions) if version is not None]
            assert winners, "nobody created an object that was not there"
            if self.deletes_are_sent_once:
                assert len(winners) <= 1 + deleters, f"{winners} created one object among {deleters} deletes"
            body = back_door.raw_get(f"pending/5/{number:05d}.json")
            assert body is None or body in [b"%d of %d" % (racer, number) for racer in winners]

    def test_a_replace_never_brings_a_deleted_object_back(self, bucket: Bucket, back_door: BackDoor) -> None:
        if not self.deletes_are_atomic:
            pytest.skip("this store may do so; the protocol survives it")
        keys = [f"leased/{number:05d}.json" for number in range(self.rounds)]
        old = [bucket.create(key, key.encode()) for key in keys]

        def act(number: int, racer: int) -> str | None:
            if racer % 2 == 0:
                settled(lambda: bucket.delete(keys[number]))
                return None
            return decided(lambda: bucket.replace(keys[number], b"%d of %d" % (racer, number), old[number]))

        for versions in race(self.racers, self.rounds, act):
            assert sum(version is not None for version in versions) <= 1
        assert back_door.raw_keys() == []

    def test_increments_by_many_are_all_counted(self, bucket: Bucket, back_door: BackDoor) -> None:
        key, each = "leased/counter.json", max(2, self.rounds // 20)
        bucket.create(key, b"0 by nobody")

        def increment(number: int, racer: int) -> int:
            tries = 0
            while True:
                tries += 1
                found = bucket.get(key)
                assert found is not None
                body = b"%d by %d" % (int(found.body.split()[0]) + 1, racer * 1000 + number)
                version = found.version
                if decided(lambda: bucket.replace(key, body, version)):  # noqa: B023
                    return tries

        race(self.racers, each, increment)
        final = back_door.raw_get(key)
        assert final is not None and int(final.split()[0]) == self.racers * each

    def test_readers_never_see_half_an_object(self, bucket: Bucket) -> None:
        key, finished = "leased/read.json", threading.Event()
        written = {bucket.create(key, sealed("writing 0")): 0}

        def act(_: int, racer: int) -> dict[str, int]:
            return write() if racer == 0 else read()

        def write() -> dict[str, int]:
            version = next(iter(written))
            try:
                for number in range(1, self.rounds + 1):
                    version = bucket.replace(key, sealed(f"writing {number}"), version)
                    written[version] = number
            finally:
                finished.set()
            return {}

        def read() -> dict[str, int]:
            seen = {}
            while not finished.is_set():
                found = bucket.get(key)
                assert found is not None and intact(found.body), "a reader saw a broken body"
                seen[found.version] = int(found.body[64:200].split(b"writing")[1])
            return seen

        (results,) = race(4, 1, act)
        for seen in results:
            assert {version: written[version] for version in seen} == seen, "a body under another body's version"
