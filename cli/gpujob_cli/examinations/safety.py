"""Whether the store decides between writers: the probe, tried again, or what `init` found.

Invariant: `ok` is said of a store only after every row of the probe came out right, now or when the queue was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpujob.buckets.base import Bucket
from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.errors import Denied
from gpujob.probe import RACERS, ROUNDS, Verdict, probe
from gpujob.records import QueueConfig
from gpujob.specs.quantities import format_duration
from gpujob_cli.examinations.findings import Finding


@dataclass(frozen=True)
class Effort:
    """How hard the races are: writers at the same moment, and rounds."""

    racers: int = RACERS
    rounds: int = ROUNDS
    limit_s: float = 120.0


DEEP = Effort(racers=64, rounds=10, limit_s=420.0)


def tried(bucket: Bucket, config: QueueConfig | None, effort: Effort) -> Iterator[Finding]:
    """The probe with all its rows. A role that may not write below `probe/` is told what `init` found."""
    try:
        verdict = probe(bucket, runtime=SYSTEM, rng=system_random(), racers=effort.racers, rounds=effort.rounds)
    except Denied:
        yield _remembered(config, "these credentials may not write below probe/, as it should be for most roles")
        return
    yield of_verdict(verdict, effort)


def of_verdict(verdict: Verdict, effort: Effort) -> Finding:
    """The probe's verdict as a finding, a line for each row."""
    lines = tuple(
        f"{row.ms:8.1f} ms  {row.name}: {row.seen}{_expected(row.ok, row.expected)}" for row in verdict.checks
    )
    facts = {**verdict.as_dict(), "racers": effort.racers, "rounds": effort.rounds}
    if not verdict.safe:
        text = verdict.reason or "it failed the probe"
        return Finding("safety", "broken", text, f"use {verdict.use_instead}", lines, facts)
    took = format_duration(round(sum(row.ms for row in verdict.checks) / 1000, 1))
    text = f"{len(verdict.checks)} checks passed in {took}, races of {effort.racers} writers among them"
    return Finding("safety", "ok", text, lines=lines, facts=facts)


def not_tried(config: QueueConfig | None) -> Iterator[Finding]:
    """What is known without trying."""
    yield _remembered(config, "nobody asked for it")


def _remembered(config: QueueConfig | None, why: str) -> Finding:
    verdict = config.verdict if config is not None else {}
    facts = {"tried": False, "safe_at_init": bool(verdict.get("safe"))}
    if verdict.get("safe") is True:
        return Finding("safety", "ok", f"not tried now ({why}); `gpujob init` found the store safe", facts=facts)
    text = f"not tried now ({why}), and queue.json does not say that it ever was"
    return Finding("safety", "note", text, "run `gpujob doctor` as the queue's operator", facts=facts)


def _expected(ok: bool, expected: str) -> str:
    return "" if ok else f", expected: {expected}"
