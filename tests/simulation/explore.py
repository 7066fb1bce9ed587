"""Explores schedules by the hundred thousand: `python -m tests.simulation.explore --schedules 1000000 --processes 2`.

Prints how far it is, and at the end what was covered; ends with 1 and the way to replay it at the first violation.
Invariant: schedule number n is the same whichever process runs it: profile n modulo the number of profiles, seed n.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.profiles import ALL
from tests.simulation.schedule import Report, run_seed
from tests.simulation.speed import fast

CHUNK = 1000


@dataclass
class Covered:
    """What some schedules met."""

    schedules: int = 0
    steps: int = 0
    runs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, report: Report, number: int) -> None:
        self.schedules += 1
        self.steps += report.steps
        self.runs += report.runs
        self.ends.update(report.ends)
        if report.violation:
            profile = ALL[number % len(ALL)].name
            self.violations.append(f"{report.violation}\n  replay: python -m tests.simulation {profile} {number}")

    def merge(self, other: Covered) -> None:
        self.schedules += other.schedules
        self.steps += other.steps
        self.runs += other.runs
        self.ends.update(other.ends)
        self.violations += other.violations

    def __str__(self) -> str:
        ends = ", ".join(f"{count:,} {state}" for state, count in self.ends.most_common())
        return f"{self.schedules:,} schedules, {self.steps:,} steps, {self.runs:,} runs; jobs: {ends}"


def cover(first: int, count: int) -> Covered:
    """Runs the schedules from number `first` on."""
    covered = Covered()
    with fast():
        for number in range(first, first + count):
            covered.add(run_seed(ALL[number % len(ALL)], number), number)
    return covered


def covering(first: int, count: int, processes: int) -> Iterator[Covered]:
    """The same in chunks, by several processes."""
    starts = range(first, first + count, CHUNK)
    sizes = [min(CHUNK, first + count - start) for start in starts]
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(cover, starts, sizes)


def main(arguments: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="explores schedules of the simulated queue")
    parser.add_argument("--schedules", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="the number of the first schedule")
    wanted = parser.parse_args(arguments)
    covered = Covered()
    started_s = said_s = time.monotonic()
    for part in covering(wanted.first, wanted.schedules, wanted.processes):
        covered.merge(part)
        spent_s = time.monotonic() - started_s
        if time.monotonic() - said_s >= 10 or covered.schedules == wanted.schedules:
            said_s = time.monotonic()
            print(f"{covered} ({covered.schedules / spent_s:,.0f} a second)", flush=True)
        if covered.violations:
            break
    print("\n".join(covered.violations) or "no violation")
    return 1 if covered.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
