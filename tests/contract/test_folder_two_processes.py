"""Two processes on one folder, one of them killed with -9 between two system calls: between any two, of every verb.

The verbs and what must be true after each are those of test_folder_calls.py; here the death is real, and a second
process writes to the same folder, and to the same object, all the while.
"""

from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest

from gpujob.buckets.folder import FolderBucket
from gpujob.errors import Busy, PreconditionFailed, Unavailable
from tests.contract.back_doors import FolderBackDoor
from tests.contract.fragile_disk import FragileDisk
from tests.contract.test_folder_calls import KEY, VERBS, Store, Verb
from tests.contract.victims import Victim
from tests.sizing import pick

COUNTER = "leased/counter.json"
OTHER = b"other" * 300
STRIDE = pick(quick=3, full=1)  # between one death's system call and the next one's


class SuicidalDisk(FragileDisk):
    """Sends its own process kill -9 before the call of that number; the last call may be survived."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self._index = index

    def pass_on(self, name: str, args: tuple[Any, ...]) -> Any:
        if len(self.calls) == self._index:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().pass_on(name, args)


def die_at(index: int, verb: Verb, store: Store, source: Path) -> bool:
    """Does the verb in a process that dies before system call `index`; False if it was not asked for so many."""
    found = FolderBucket(store.root).get(KEY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads: the child uses none of them
        child = os.fork()
    if child == 0:
        try:
            verb.act(FolderBucket(store.root, disk=SuicidalDisk(index)), found.version if found else "", source)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def neighbour_on(root: Path) -> Victim:
    """Counts in the same folder, and now and then has the same object in its hands."""
    bucket = FolderBucket(root)

    def step(number: int) -> None:
        found = bucket.get(COUNTER)
        assert found is not None and int(found.body) == number, "a count of mine was lost"
        bucket.replace(COUNTER, b"%d" % (number + 1), found.version)
        try:
            bucket.replace(KEY, OTHER, "stale")
        except (PreconditionFailed, Busy):
            return
        except Unavailable as error:
            raise AssertionError("a death of another process must not be felt here") from error
        raise AssertionError("a stale version was accepted")

    return Victim(step)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_death_between_any_two_calls_beside_a_process_at_work(verb: Verb, tmp_path: Path) -> None:
    clean = Store(tmp_path / "clean", verb)
    calls = len(clean.disk.calls)
    deaths = 0
    for index in range(0, calls + 1, STRIDE):
        folder = tmp_path / str(index)
        store = _prepared(folder, verb)
        FolderBucket(store.root).create(COUNTER, b"0")
        neighbour = neighbour_on(store.root)
        try:
            neighbour.wait_for(1)
            deaths += die_at(index, verb, store, folder / "source")
            neighbour.wait_for(3)  # whatever the dead one held, it holds nothing any more
        finally:
            neighbour.kill()
        body = FolderBackDoor(store.root).raw_get(KEY)
        assert body in (verb.before, verb.after), f"after a death before call {index}"
        FolderBucket(store.root).delete(COUNTER)
        for name in store.back_door.scratch_files():  # what the dead one left is swept when it is old
            os.utime(store.root / ".scratch" / name, (0, 0))
        store._check_next(FolderBucket(store.root), body)
    assert deaths >= calls // STRIDE // 2, "hardly anybody died"


def _prepared(folder: Path, verb: Verb) -> Store:
    """A store as the verb finds it, on which nothing was done yet."""
    untouched = Verb(verb.name, lambda bucket, version, file: None, verb.before, verb.after, verb.neighbour)
    return Store(folder, untouched)
