"""Real processes, killed with -9 hundreds of times while they write to one folder: nothing torn, nothing lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gpujob.buckets.folder import FolderBucket
from gpujob.errors import Busy, PreconditionFailed
from gpujob.testing.bucket_races import intact, sealed
from tests.contract.back_doors import FolderBackDoor
from tests.contract.victims import Victim
from tests.sizing import pick

KILLS = pick(quick=80, full=400)
INCREMENT_KILLS = pick(quick=50, full=250)
KEYS = [f"leased/{name}.json" for name in ("a", "b", "deep/c")]
COUNTER = "leased/counter.json"


def writing(root: Path, seed: int) -> Callable[[int], None]:
    """Steps that create, replace, upload and delete a few keys, always whole bodies."""
    rng, bucket, source = random.Random(seed), FolderBucket(root), root.with_name(f"source-{seed}")
    source.write_bytes(sealed(f"uploaded in run {seed}"))

    def step(number: int) -> None:
        key, body = rng.choice(KEYS), sealed(f"step {number} of run {seed}")
        found = bucket.get(key)
        try:
            if found is None:
                bucket.create(key, body)
            elif rng.random() < 0.5:
                bucket.replace(key, body, found.version)
            elif rng.random() < 0.5:
                bucket.upload(key, source)
            else:
                bucket.delete(key)
        except PreconditionFailed:
            pass  # another process was quicker

    return step


def counting(root: Path) -> Callable[[int], None]:
    """Steps that each add one to the counter, however often another process is quicker."""
    bucket = FolderBucket(root)

    def step(_: int) -> None:
        while True:
            found = bucket.get(COUNTER)
            assert found is not None
            try:
                bucket.replace(COUNTER, b"%d" % (int(found.body) + 1), found.version)
            except PreconditionFailed:
                continue
            return

    return step


@contextmanager
def at_work(*victims: Victim) -> Iterator[None]:
    """Ends these processes when the block ends."""
    try:
        yield
    finally:
        for victim in victims:
            victim.kill()


def test_no_torn_object_is_ever_visible(tmp_path: Path) -> None:
    root, rng = tmp_path / "store", random.Random(1)
    back_door, bucket = FolderBackDoor(root), FolderBucket(root)
    neighbour = Victim(writing(root, 0))
    with at_work(neighbour):
        neighbour.wait_for(10)
        for number in range(1, KILLS + 1):
            victim = Victim(writing(root, number))
            victim.wait_for(rng.randrange(1, 16))
            victim.kill()
            for key in KEYS:
                body = back_door.raw_get(key)
                assert body is None or intact(body), f"{key} is torn after kill {number}"
            neighbour.wait_for(1)
    for key in KEYS:  # nobody is hindered by what the killed ones left
        found = bucket.get(key)
        version = bucket.create(key, b"1") if found is None else bucket.replace(key, b"1", found.version)
        bucket.replace(key, b"2", version)
        bucket.delete(key)
    assert back_door.raw_keys() == []


def test_no_acknowledged_increment_is_lost(tmp_path: Path) -> None:
    root, rng = tmp_path / "store", random.Random(2)
    back_door = FolderBackDoor(root)
    FolderBucket(root).create(COUNTER, b"0")
    steady = [Victim(counting(root)) for _ in range(2)]
    killed = 0
    with at_work(*steady):
        for _ in range(INCREMENT_KILLS):
            victim = Victim(counting(root))
            victim.wait_for(rng.randrange(1, 10))
            victim.kill()
            killed += victim.acknowledged
    acknowledged = killed + sum(victim.acknowledged for victim in steady)
    unsaid = INCREMENT_KILLS + len(steady)  # each death may fall between a write and its acknowledgement
    final = int(back_door.raw_get(COUNTER) or b"-1")
    assert acknowledged <= final <= acknowledged + unsaid
    assert killed >= INCREMENT_KILLS and all(victim.acknowledged for victim in steady)


def test_a_suspended_process_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """Stopped at random moments, some with the lock held: others write or get `Busy`; once it is gone they write."""
    root = tmp_path / "store"
    bucket = FolderBucket(root, sleep=lambda seconds: None)
    bucket.create(COUNTER, b"0")
    for _ in range(pick(quick=60, full=200)):
        victim = Victim(counting(root))
        victim.wait_for(3)
        victim.suspend()
        with suppress(Busy):
            write_again(bucket)
        victim.kill()
        write_again(bucket)


def write_again(bucket: FolderBucket) -> None:
    found = bucket.get(COUNTER)
    assert found is not None
    version = bucket.replace(COUNTER, found.body, found.version)
    head = bucket.head(COUNTER)
    assert head is not None and head.version == version
