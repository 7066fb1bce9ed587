"""Runs several verbs of folder buckets at once, one system call at a time, in an order that the test chooses.

Each verb runs in a greenlet of its own, as if in a process of its own: its bucket's disk and sleep hand control back
before every call. What happens is then compared with every order of the same verbs, one after the other, on the bucket
in memory: an outcome that no order explains is a race.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

from greenlet import getcurrent, greenlet

from gpujob.buckets.base import Bucket
from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.folder.disk import Disk
from gpujob.buckets.memory import MemoryBucket
from gpujob.errors import PreconditionFailed
from tests.contract.fragile_disk import CALLS

Verb = Callable[[Bucket, str], object]  # given the bucket and the object's version at the start
Choose = Callable[[list[int]], int]  # which of these verbs makes the next call

ASLEEP = "asleep"


class UnsyncedDisk(Disk):
    """The real disk without the wait for it: no power cut is played here."""

    def sync(self, fd: int) -> None:
        pass


class SteppingDisk(UnsyncedDisk):
    """Control goes back to the test before each call."""


def _stepping(name: str) -> Callable[..., Any]:
    def call(self: SteppingDisk, *args: Any) -> Any:
        getcurrent().parent.switch(name)
        return getattr(UnsyncedDisk, name)(self, *args)

    return call


for _name in CALLS:
    setattr(SteppingDisk, _name, _stepping(_name))


def outcome(verb: Verb, bucket: Bucket, version: str) -> str:
    """Won or lost; any other error ends the test."""
    try:
        verb(bucket, version)
    except PreconditionFailed:
        return "lost"
    return "won"


def run_together(root: Path, verbs: list[Verb], version: str, choose: Choose) -> list[str]:
    """The outcome of each verb, their calls interleaved as `choose` says; one that sleeps waits for another to move."""
    outcomes: dict[int, str] = {}
    runners = {}
    for number, verb in enumerate(verbs):
        bucket = FolderBucket(root, disk=SteppingDisk(), sleep=lambda _: getcurrent().parent.switch(ASLEEP))
        runners[number] = greenlet(lambda verb=verb, bucket=bucket: outcome(verb, bucket, version))
    asleep: set[int] = set()
    naps = 0
    while runners:
        ready = [number for number in runners if number not in asleep] or list(runners)
        number = choose(ready)
        result = runners[number].switch()
        if result == ASLEEP:
            asleep.add(number)
            naps += 1
            assert naps < 500, "everybody waits: a lock was left behind"
        else:
            asleep.clear()
        if runners[number].dead:
            outcomes[number] = result
            del runners[number]
    return [outcomes[number] for number in range(len(verbs))]


def explained(key: str, before: bytes | None, verbs: list[Verb]) -> set[tuple[tuple[str, ...], bytes | None]]:
    """The outcomes and the final body of every order of the verbs, one after the other."""
    answers = set()
    for order in permutations(range(len(verbs))):
        bucket = MemoryBucket()
        version = bucket.create(key, before) if before is not None else "none"
        outcomes = {number: outcome(verbs[number], bucket, version) for number in order}
        found = bucket.get(key)
        answers.add((tuple(outcomes[number] for number in range(len(verbs))), found and found.body))
    return answers
