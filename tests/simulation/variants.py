"""The naive variants of the protocol, each as one change of the real code, made for the length of a schedule.

Invariant: a variant changes what its line says and nothing else, so what the simulation finds is the fault of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from gpujob import keys
from gpujob.decisions import failed_once
from gpujob.errors import BucketError
from gpujob.protocol import claim, cleaning, finish, lease
from gpujob.protocol.claim import GONE, Claimer
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.writes import UNKNOWN, Write, create, replace
from gpujob.records import JobError, Result
from gpujob_worker import attempt
from tests.simulation.profiles import FAILING, KEYS, SMALL, STALLS, STORM, Profile

Patch = tuple[Any, str, Any]


@dataclass(frozen=True)
class Variant:
    """A naive change: what it says, the profile that should catch it, and the attributes it replaces."""

    says: str
    profile: Profile
    patches: tuple[Patch, ...] = ()
    prepare: Callable[[Any], None] = field(default=lambda stage: None)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The code under test is changed inside the block."""
        with ExitStack() as stack:
            for target, name, value in self.patches:
                stack.enter_context(mock.patch.object(target, name, value))
            yield


# -- releasing or retrying by deleting the lease


def _fail_by_deleting(held: HeldLease, error: JobError) -> None:
    failed_once(held.record, error, held.ctx.store_now(), held.ctx.rng)
    _requeue(held)


def _requeue(held: HeldLease) -> None:
    held.close()
    cleaning.drop(held.ctx, keys.leased(held.id))
    manifest = held.manifest
    create(held.ctx.bucket, keys.pending(manifest.priority, manifest.id, manifest.kind), manifest.body())


# -- deleting pending too early

_create_lease = Claimer._create_lease
_look_after_claim = Claimer._look_after_claim


def _pending_first(claimer: Claimer, key: str, manifest: Any, found: Any) -> Any:
    cleaning.drop(claimer.ctx, key)
    return _create_lease(claimer, key, manifest, found)


def _trust_the_claim(claimer: Claimer, mine: Any, started_s: float, fatal: Any = None) -> Any:
    cleaning.drop_pending(claimer.ctx, mine.manifest)
    return _look_after_claim(claimer, mine, started_s, fatal)


# -- deleting the lease before done/

_settle = claim.settle


def _lease_first(held: HeldLease, result: Result) -> bool:
    cleaning.drop(held.ctx, keys.leased(held.id))
    return _settle(held, result)


# -- no look at done/ after claiming


def _without_looking(claimer: Claimer, held: HeldLease, fatal: JobError | None) -> Any:
    held.pending_gone = cleaning.drop_pending(claimer.ctx, held.manifest)
    if fatal is not None:
        return claimer._end(held, "failed", fatal)
    if claimer.ctx.store_now() >= held.record.expires_at:
        return claimer._end(held, "expired", None)
    if not held.trusted():
        held.close()
        return GONE
    return held


# -- a plain PUT of done/, an unconditional beat


def _plain_put(bucket: Any, key: str, body: bytes, version: str = "") -> Write:
    try:
        return Write("won", getattr(bucket, "inner", bucket).put(key, body))
    except BucketError:
        return UNKNOWN


def _ignore_conditions(stage: Any) -> None:
    stage.store.ignores_conditions = True


class _PlainBeats:
    """`lease.replace` where it is a beat: a plain put. Giving up stays conditional."""

    def __call__(self, bucket: Any, key: str, body: bytes, version: str) -> Write:
        return _plain_put(bucket, key, body) if b'"state":"run"' in body else replace(bucket, key, body, version)


VARIANTS: dict[str, Variant] = {
    "release-by-deleting": Variant(
        "releasing or retrying by deleting the lease",
        FAILING,
        ((HeldLease, "fail", _fail_by_deleting), (HeldLease, "release", _requeue)),
    ),
    "pending-first": Variant(
        "deleting pending before the lease exists", SMALL, ((Claimer, "_create_lease", _pending_first),)
    ),
    "unconfirmed-claim": Variant(
        "deleting pending after an unconfirmed claim", STORM, ((Claimer, "_look_after_claim", _trust_the_claim),)
    ),
    "lease-first": Variant(
        "deleting the lease before done/", SMALL, ((attempt, "settle", _lease_first), (claim, "settle", _lease_first))
    ),
    "no-look": Variant("no look at done/ after claiming", STORM, ((Claimer, "_first_steps", _without_looking),)),
    "plain-done": Variant("a plain PUT of done/", STORM, ((finish, "create", _plain_put),)),
    "shared-artifacts": Variant(
        "artifacts in one place for all attempts",
        STALLS,
        ((HeldLease, "prefix", property(lambda held: f"{keys.job_artifacts(held.id)}0-{'0' * 32}/")),),
    ),
    "plain-beat": Variant("an unconditional beat", STALLS, ((lease, "replace", _PlainBeats()),)),
    "no-conditions": Variant("a store that ignores the condition", KEYS, (), _ignore_conditions),
}
