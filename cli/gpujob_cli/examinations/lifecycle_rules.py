"""What a bucket's lifecycle rules would do to a queue. Pure: rules in, sentences out.

Only old versions and broken-off uploads may be left to the store: everything else in a queue goes by the protocol's own
rules. Invariant: a rule that could delete or hide what a job rests on is never called harmless.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpujob import keys

DAY_S = 86400.0
MOST_DAYS = 1_000_000_000
ASLEEP = ("GLACIER", "DEEP_ARCHIVE")

FATAL: Mapping[str, str] = {
    keys.PENDING: "jobs that wait would vanish",
    keys.LEASED: "jobs that run or wait for another attempt would be lost",
    keys.DONE: "results would go while something still points to their jobs, which would run again",
    keys.UNIQUE: "a name would stand for a second job",
    keys.QUEUE: "the queue would forget that it is one",
}
BY_RETENTION: Mapping[str, str] = {
    keys.INPUTS: "files that a waiting job needs would vanish",
    keys.ARTIFACTS: "results would name files that are gone",
}


@dataclass(frozen=True)
class Rule:
    """One enabled rule, as far as a queue cares. `days` is None for a fixed date."""

    name: str
    prefix: str
    deletes: bool = False
    days: float | None = None
    old_versions_days: float | None = None
    ends_uploads: bool = False
    moves_to: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        """The rule in a sentence."""
        return (
            f"rule {self.name!r} (prefix {self.prefix!r})" if self.prefix else f"rule {self.name!r} (the whole bucket)"
        )


@dataclass(frozen=True)
class Danger:
    """What one rule would do; `fatal` where jobs or results would be lost."""

    rule: Rule
    text: str
    fatal: bool


def days_of(value: Any) -> float | None:
    """The days of a rule as somebody wrote them; None where they are no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if isinstance(value, float) and math.isnan(value) else min(max(value, 0), MOST_DAYS)


def rules_of(answer: Mapping[str, Any]) -> list[Rule]:
    """The enabled rules of a GetBucketLifecycleConfiguration. Those for tagged objects are left out: ours have no tags."""
    rows = answer.get("Rules") or ()
    return [rule for row in rows if row.get("Status") == "Enabled" and (rule := _rule(row)) is not None]


def dangers(rules: Iterable[Rule], queue: str, retention_s: float) -> list[Danger]:
    """What the rules would do to the queue under the prefix `queue` (empty, or ending in a slash)."""
    return [danger for rule in rules if (danger := _danger(rule, queue, retention_s)) is not None]


def old_versions_days(rules: Sequence[Rule], queue: str) -> float | None:
    """After how many days old versions of everything in the queue are deleted; None where some of them stay."""
    days = [rule.old_versions_days for rule in rules if queue.startswith(rule.prefix)]
    return min((one for one in days if one is not None), default=None)


def _rule(row: Mapping[str, Any]) -> Rule | None:
    found = row.get("Filter") or {}
    both = found.get("And") or {}
    if found.get("Tag") or both.get("Tags"):
        return None
    prefix = str(row.get("Prefix") or found.get("Prefix") or both.get("Prefix") or "")
    ends, old = row.get("Expiration") or {}, row.get("NoncurrentVersionExpiration") or {}
    moves = row.get("Transitions") or ()
    return Rule(
        name=str(row.get("ID") or ""),
        prefix=prefix,
        deletes="Days" in ends or "Date" in ends,
        days=days_of(ends.get("Days")),
        old_versions_days=days_of(old.get("NoncurrentDays")),
        ends_uploads=bool(row.get("AbortIncompleteMultipartUpload")),
        moves_to=tuple(str(one.get("StorageClass", "")) for one in moves),
    )


def _danger(rule: Rule, queue: str, retention_s: float) -> Danger | None:
    hurt = [place for place in (*FATAL, *BY_RETENTION) if _touches(rule.prefix, queue + place)]
    if not hurt:
        return None
    if rule.deletes:
        return _of_deletion(rule, hurt, retention_s)
    asleep = [one for one in rule.moves_to if one in ASLEEP]
    if asleep:
        return Danger(
            rule, f"{rule.called} moves {_named(hurt)} to {asleep[0]}, where nothing can be read at once", True
        )
    if rule.moves_to:
        text = f"{rule.called} moves objects to {rule.moves_to[0]}, which bills small and short-lived ones at a higher price"
        return Danger(rule, text, False)
    return None


def _of_deletion(rule: Rule, hurt: Sequence[str], retention_s: float) -> Danger:
    when = "on a date" if rule.days is None else f"after {rule.days:g} days"
    fatal = [place for place in hurt if place in FATAL]
    if fatal:
        return Danger(rule, f"{rule.called} deletes {_named(hurt)} {when}: {FATAL[fatal[0]]}", True)
    early = rule.days is None or rule.days * DAY_S < retention_s
    text = f"{rule.called} deletes {_named(hurt)} {when}: {BY_RETENTION[hurt[0]]}"
    return Danger(rule, text if early else f"{text}, where they are kept longer than the queue's retention", early)


def _named(places: Sequence[str]) -> str:
    return "everything in the queue" if len(places) == len(FATAL) + len(BY_RETENTION) else ", ".join(places)


def _touches(prefix: str, place: str) -> bool:
    return prefix.startswith(place) or place.startswith(prefix)
