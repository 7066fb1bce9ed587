"""A worker process that gives up on the store soon, on a machine whose clock may be wrong: `python -m tests.faults.impatient`.

What it runs is `gpujob_worker`, with its flags. Invariant: only the time-outs of requests and the wall clock differ from
those of any other worker; steady clocks are right, as they are on a machine whose date was set wrong. Where only the
clock is looked at, the time-outs are the usual ones.
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path
from types import SimpleNamespace

import botocore.compat

from gpujob.buckets import s3_client
from gpujob.buckets.s3_client import Timeouts

CONNECT_S, READ_S = 1.5, 1.0
LATE_S = 1.8  # what a proxy has to wait for so that these clients have given up
OFF_BY = "TEST_CLOCK_OFF_BY_S"  # of the environment: seconds
PATIENT = "TEST_PATIENT"  # of the environment: not empty for the usual time-outs
ROOT = Path(__file__).resolve().parents[2]

SHORT = Timeouts(CONNECT_S, READ_S, READ_S)
COMMAND = ("-m", "tests.faults.impatient")


def environment(clock_off_by_s: float = 0.0, *, patient: bool = False) -> dict[str, str]:
    """What `COMMAND` needs in its environment."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path, OFF_BY: str(clock_off_by_s), PATIENT: "yes" if patient else ""}


def main() -> None:
    """Runs the worker."""
    if not os.environ.pop(PATIENT, ""):
        s3_client.Timeouts = lambda *given: Timeouts(*given) if given else SHORT  # type: ignore[assignment, misc]
    off_by_s = float(os.environ.pop(OFF_BY, "0"))
    if off_by_s:
        set_clock_wrong(off_by_s)
    from gpujob_worker.main import main as work

    work()


def set_clock_wrong(off_by_s: float) -> None:
    """From now on the wall clock of this process is off: Python's own, and that by which botocore signs."""
    right = time.time
    time.time = lambda: right() + off_by_s

    class Wrong(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Wrong:
            return cls.fromtimestamp(time.time(), tz)

    botocore.compat.datetime = SimpleNamespace(datetime=Wrong, timezone=datetime.timezone)  # type: ignore[assignment]


if __name__ == "__main__":
    main()
