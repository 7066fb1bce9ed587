"""The long soak: `make soak`, or `python -m tests.soak --workers 1000 --jobs 100000`. Prints its figures and its bill."""

from __future__ import annotations

import argparse
import time

from tests.simulation.speed import fast
from tests.soak.findings import SLACK_S, check_bill, examine
from tests.soak.fleet import Fleet, Plan


def main() -> None:
    """The whole run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    started = time.monotonic()
    with fast():
        fleet = Fleet(Plan(workers=wanted.workers, jobs=wanted.jobs, seed=wanted.seed), print)
        fleet.run()
    found = examine(fleet)
    print(f"{found}\nin {time.monotonic() - started:.0f} s of this machine's time")
    check_bill(found)
    assert found.unexplained_wait_s < SLACK_S, f"a job waited {found.unexplained_wait_s:.0f} s more than it had to"


if __name__ == "__main__":
    main()
