"""Replays one schedule with its trace: `python -m tests.simulation PROFILE SEED [VARIANT]`."""

from __future__ import annotations

import sys

from tests.simulation.profiles import BY_NAME
from tests.simulation.schedule import run_seed
from tests.simulation.speed import fast


def main(arguments: list[str]) -> int:
    """Prints the trace; 1 where the schedule violates an invariant."""
    variant = None
    if len(arguments) > 2:
        from tests.simulation.variants import VARIANTS

        variant = VARIANTS[arguments[2]]
    with fast():
        report = run_seed(BY_NAME[arguments[0]], int(arguments[1]), traced=True, variant=variant)
    print("\n".join(report.trace))
    print(f"{report.steps} steps, {report.runs} runs, ends: {', '.join(report.ends) or 'none'}")
    return 1 if report.violation else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
