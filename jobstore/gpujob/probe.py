"""The store probe: does a bucket really decide between writers, or does it only say so?

Every decision of the protocol is one conditional write, so a store that ignores a condition, or that checks it and then
writes in two steps, loses jobs without a word. The probe tries each case and two races, under `probe/<nonce>/`, and
removes what it wrote.

Invariant: a verdict is `safe` only if every check was run and came out as expected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from gpujob.buckets.base import Bucket
from gpujob.buckets.google import USE_INSTEAD
from gpujob.chance import Random
from gpujob.clock import Runtime
from gpujob.errors import Configuration, Denied, NoSuchBucket, UnsafeStore
from gpujob.probe_race import race_to_create, race_to_replace
from gpujob.probe_trials import EtagStyle, Trials

RACERS = 16
ROUNDS = 5
RELAY_SHARE = 4  # a quarter of the racers replace: SeaweedFS makes each one that has to wait do so for a second

_BOTH_WIN = "so two workers could own one job, and a finished result could be replaced"


@dataclass(frozen=True, slots=True)
class Check:
    """One row: what was tried, what should have happened, what did."""

    name: str
    expected: str
    seen: str
    ok: bool
    ms: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the probe found. `etag_style` is how the store wants versions back; `reason` is None where it is safe."""

    store: str
    safe: bool
    etag_style: EtagStyle
    reason: str | None
    use_instead: str | None
    checks: tuple[Check, ...]

    def as_dict(self) -> dict[str, Any]:
        """The verdict for JSON: for queue.json and for `doctor --json`."""
        return asdict(self)


def probe(bucket: Bucket, *, runtime: Runtime, rng: Random, racers: int = RACERS, rounds: int = ROUNDS) -> Verdict:
    """What this bucket does with conditions. Some 180 requests at the defaults: seconds.

    Raises `Denied`, `NoSuchBucket` or `Unavailable` where the store cannot be asked at all.
    """
    trials = Trials(bucket, runtime, rng)
    sheet = _Sheet(runtime)
    try:
        _single(sheet, trials)
        sheet.race("race to create", rounds, lambda: race_to_create(trials, runtime, racers))
        sheet.race("race to replace", rounds, lambda: race_to_replace(trials, runtime, max(2, racers // RELAY_SHARE)))
    finally:
        trials.clean_up()
    instead = None if sheet.reason is None else USE_INSTEAD
    return Verdict(bucket.url, sheet.reason is None, trials.etag_style, sheet.reason, instead, tuple(sheet.rows))


def ensure_safe(verdict: Verdict) -> None:
    """Returns for a safe store; else `UnsafeStore` with the reason and what to use instead."""
    if not verdict.safe:
        raise UnsafeStore(
            f"The store {verdict.store} is not safe for a queue: {verdict.reason}",
            hint=f"Use {verdict.use_instead}.",
        )


def _single(sheet: _Sheet, trials: Trials) -> None:
    """One writer at a time. The reason of the first row that fails becomes the verdict's."""
    sheet.check("create, absent", "created", trials.create_absent, "it refuses to create an object that is not there")
    sheet.check(
        "create, present",
        "refused",
        trials.create_present,
        f"it overwrites an object that should be created only if absent, {_BOTH_WIN}",
    )
    sheet.check(
        "version in PUT, GET and HEAD",
        "the same",
        trials.same_version,
        "it names another version when an object is read than when it was written, so no worker could keep a lease",
    )
    sheet.check(
        "replace, current version",
        "replaced",
        trials.replace_current,
        "it refuses to replace an object whose version is current, so no worker could keep a lease",
    )
    sheet.check(
        "replace, stale version",
        "refused",
        trials.replace_stale,
        f"it replaces an object whose version has changed, {_BOTH_WIN}",
    )
    sheet.check(
        "replace, missing",
        "refused",
        trials.replace_missing,
        "it creates an object that should only be replaced, so a lease that was cleaned up would come back",
    )
    sheet.check(
        "create after delete",
        "created",
        trials.create_again,
        "it refuses to create an object whose predecessor was deleted, so a job could get stuck",
    )


class _Sheet:
    """The rows of one run; `reason` is that of the first row that failed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.rows: list[Check] = []
        self.reason: str | None = None

    def check(self, name: str, expected: str, trial: Callable[[], str], reason: str) -> None:
        """Adds a row; `seen` is right when it begins with what was expected."""
        started = self._runtime.elapsed()
        try:
            seen = trial()
        except (Denied, NoSuchBucket):
            raise
        except Configuration as error:  # 501 and the like: a store that says openly that it cannot
            seen, reason = error.message, "it does not take conditional writes"
        self._add(name, expected, seen, seen.startswith(expected), started, reason)

    def race(self, name: str, rounds: int, one_round: Callable[[], str]) -> None:
        """Adds a row for all rounds, or for as many as it takes to see something wrong."""
        started = self._runtime.elapsed()
        expected = f"one winner in each of {rounds} rounds"
        seen = "not run, because a check before it failed"
        if self.reason is None:
            seen = expected
            for number in range(1, rounds + 1):
                if (came := one_round()) != "one winner":
                    seen = f"{came} in round {number}"
                    break
        reason = f"of many writers at the same moment it lets not exactly one win, {_BOTH_WIN}"
        self._add(name, expected, seen, seen == expected, started, reason)

    def _add(self, name: str, expected: str, seen: str, ok: bool, started: float, reason: str) -> None:
        took_ms = round((self._runtime.elapsed() - started) * 1000, 1)
        self.rows.append(Check(name, expected, seen, ok, took_ms))
        if not ok and self.reason is None:
            self.reason = f"{reason} ({name}: expected {expected}, seen {seen})."
