"""Two and three verbs on one key, their system calls interleaved: every outcome must be that of some order of the verbs.

Pairs: every schedule in which the first makes i calls, then the second j, then the first goes on to its end, then the
second: all i and j. Triples: random schedules from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from pathlib import Path

import pytest

from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.folder.steps import Steps
from gpujob.errors import Busy
from tests.contract.back_doors import FolderBackDoor
from tests.contract.stepping import Choose, SteppingDisk, UnsyncedDisk, Verb, explained, run_together
from tests.sizing import pick

KEY = "leased/5/01jd.json"


def create(number: int) -> Verb:
    return lambda bucket, version: bucket.create(KEY, b"created by %d" % number)


def replace(number: int) -> Verb:
    return lambda bucket, version: bucket.replace(KEY, b"replaced by %d" % number, version)


def delete(number: int) -> Verb:
    return lambda bucket, version: bucket.delete(KEY)


def upload(number: int) -> Verb:
    source = Path(__file__).with_name("__init__.py") if number % 2 else Path(__file__)
    return lambda bucket, version: bucket.upload(KEY, source)


KINDS = {"create": create, "replace": replace, "delete": delete, "upload": upload}
PAIRS = list(combinations_with_replacement(KINDS, 2))


class Board:
    """One key in one folder, set up anew for every schedule."""

    def __init__(self, root: Path, kinds: tuple[str, ...], before: bytes | None) -> None:
        self.root, self.before = root, before
        self.verbs = [KINDS[kind](number) for number, kind in enumerate(kinds)]
        self.explained = explained(KEY, before, self.verbs)
        self.back_door = FolderBackDoor(root)
        self.healthy = FolderBucket(root, disk=UnsyncedDisk())

    def play(self, choose: Choose, said: str) -> None:
        self.healthy.delete(KEY)
        version = self.healthy.create(KEY, self.before) if self.before is not None else "none"
        outcomes = tuple(run_together(self.root, self.verbs, version, choose))
        happened = outcomes, self.back_door.raw_get(KEY)
        assert happened in self.explained, f"{said}: {happened} is no order's outcome: {self.explained}"
        assert self.back_door.scratch_files() == []


def bursts(*lengths: int) -> Choose:
    """The first verb makes so many calls, then the second so many, then each goes on to its end."""
    plan: Iterator[int] = (number for number, length in enumerate(lengths) for _ in range(length))

    def choose(ready: list[int]) -> int:
        wanted = next(plan, 0)
        return wanted if wanted in ready else ready[0]

    return choose


@pytest.mark.parametrize("before", [None, b"before"], ids=["absent", "present"])
@pytest.mark.parametrize("kinds", PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_two_verbs_on_one_key(kinds: tuple[str, str], before: bytes | None, tmp_path: Path) -> None:
    for pair in [kinds] if kinds[0] == kinds[1] else [kinds, kinds[::-1]]:
        board = Board(tmp_path, pair, before)
        for first in range(longest(board, 0) + 1):
            for second in range(longest(board, 1) + 1):
                board.play(bursts(first, second), f"{pair}, {first} calls, then {second}")


def longest(board: Board, number: int) -> int:
    """How many calls the verb makes when nobody interferes."""
    calls = []

    def choose(ready: list[int]) -> int:
        wanted = number if number in ready else ready[0]
        calls.append(wanted)
        return wanted

    board.play(choose, "alone")
    return calls.count(number)


def test_three_verbs_on_one_key_at_random(tmp_path: Path) -> None:
    for seed in range(pick(quick=800, full=6000)):
        rng = random.Random(seed)
        kinds = tuple(rng.choices(list(KINDS), k=3))
        board = Board(tmp_path, kinds, rng.choice([None, b"before"]))
        board.play(lambda ready, rng=rng: rng.choice(ready), f"seed {seed}, {kinds}")


def trusts_a_name_it_saw_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Steps, "_still", lambda self, fd, path: True)


def takes_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SteppingDisk, "lock", lambda self, fd: None)


def creates_by_rename(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SteppingDisk, "link", SteppingDisk.rename)


@pytest.mark.parametrize(
    ("fault", "kinds", "before"),
    [
        (trusts_a_name_it_saw_earlier, ("replace", "replace"), b"before"),
        (trusts_a_name_it_saw_earlier, ("replace", "delete"), b"before"),
        (takes_no_lock, ("replace", "replace"), b"before"),
        (takes_no_lock, ("delete", "replace"), b"before"),
        (creates_by_rename, ("create", "create"), None),
    ],
)
def test_these_schedules_find_a_folder_that_is_careless(
    fault: Callable[[pytest.MonkeyPatch], None],
    kinds: tuple[str, str],
    before: bytes | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, Busy), match=r"is no order's outcome|was swept before"):
        test_two_verbs_on_one_key(kinds, before, tmp_path)
