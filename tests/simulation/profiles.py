"""Profiles: what sort of trouble a schedule may meet. A schedule is a profile and a seed.

Invariant: where retention or `rm` takes part (`removal`), everything that is under way lands, and every frozen party
goes on, within `LATEST_S`: a chain of a read, the write that rests on it, a freeze in between and a float is over
before the ten minutes after which done/ may go. That is the bound on which the protocol's removal rule rests; all other
profiles have floats and freezes without a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LATEST_S = 100.0


@dataclass(frozen=True)
class Profile:
    """Chances are per step, 0 to 1; counts are at most."""

    name: str
    workers: tuple[int, int] = (2, 3)
    jobs: tuple[int, int] = (1, 1)
    steps: tuple[int, int] = (20, 90)
    faults: float = 0.06
    disturb: float = 0.05
    jump_weight: int = 3
    crash_weight: int = 2
    freeze_weight: int = 2
    land_weight: int = 3
    stop_weight: int = 1
    stale: float = 0.3
    crashes: int = 2
    cancel: float = 0.2
    same_key: float = 0.0
    removal: bool = False
    presence: bool = False
    sweeping: bool = False
    expiring: float = 0.1
    stubborn: float = 0.2
    long_runs: bool = False
    retrying: float = 0.2
    fails: float = 0.35
    slow_steps: bool = False


SMALL = Profile("small")
CROWD = Profile("crowd", workers=(3, 4), jobs=(2, 3), steps=(60, 250))
CALM = Profile("calm", faults=0.01, disturb=0.02, crashes=1, stale=0.1)
STORM = Profile("storm", faults=0.25, disturb=0.15, crashes=4, cancel=0.4, steps=(40, 150))
FAILING = Profile("failing", fails=0.9, faults=0.08, steps=(40, 160), stop_weight=4)
STALLS = Profile(
    "stalls", workers=(3, 3), faults=0.02, disturb=0.12, jump_weight=4, freeze_weight=6, crash_weight=0, stop_weight=0,
    cancel=0.0, stubborn=1.0, long_runs=True, steps=(60, 160), fails=0.1, expiring=0.0, retrying=0.0,
)  # fmt: skip
KEYS = Profile("keys", same_key=1.0, faults=0.1, steps=(30, 120))
REMOVAL = Profile("removal", workers=(2, 2), removal=True, sweeping=True, steps=(60, 250), disturb=0.12, jump_weight=8)
RETURN = replace(REMOVAL, name="return", same_key=0.5)
HOUSE = Profile("house", presence=True, sweeping=True, expiring=0.4, steps=(60, 200))

ALL = (SMALL, CROWD, CALM, STORM, FAILING, STALLS, KEYS, REMOVAL, RETURN, HOUSE)
BY_NAME = {profile.name: profile for profile in ALL}
