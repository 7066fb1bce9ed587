"""Submit: a manifest goes into pending/ if absent, behind an idempotency key where it has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpujob import keys
from gpujob.errors import Conflict, CorruptRecord, Unavailable
from gpujob.protocol.context import FIRST_PAUSE_S, LONGEST_PAUSE_S, Context
from gpujob.protocol.status import locate
from gpujob.protocol.writes import create
from gpujob.records import Manifest, held_key


@dataclass(frozen=True)
class Submitted:
    """The manifest that stands in the bucket; `already` when an earlier submit had put it there."""

    manifest: Manifest
    already: bool = False

    @property
    def id(self) -> str:
        """The job's id."""
        return self.manifest.id


def submit(ctx: Context, manifest: Manifest, give_up: Callable[[], bool]) -> Submitted:
    """Puts the job in the queue and returns once that is known.

    Idempotent by id and by idempotency key: the same key with the same spec returns the first submit's manifest, with
    another spec raises Conflict. Raises CorruptRecord where what stands under the key is not the job that it says, Untrusted
    where this party knows submitters and none of them signed it, Unavailable when `give_up()` says so first; its hint
    names the id to look for.
    """
    if manifest.idempotency_key is not None:
        holder = _hold_key(ctx, manifest, give_up)
        if holder.id != manifest.id:
            ctx.identity.check_holder(holder)
        if holder.spec_sha256 != manifest.spec_sha256:
            raise Conflict(
                f"the idempotency key {manifest.idempotency_key!r} already stands for job {holder.id}, whose spec differs",
                hint=f"`gpujob show {holder.id}` prints it. Choose another key for another spec.",
            )
        if holder.id != manifest.id:
            if _is_there(ctx, holder, give_up):
                return Submitted(holder, already=True)
            manifest = holder
    _put_pending(ctx, manifest, give_up)
    return Submitted(manifest)


def _is_there(ctx: Context, holder: Manifest, give_up: Callable[[], bool]) -> bool:
    """Whether the job that an idempotency key stands for is found. Raises CorruptRecord where another one has its id."""
    found = ctx.insist(lambda: locate(ctx, holder), give_up)
    if found is None:
        return False
    if found.manifest is not None and found.manifest.spec_sha256 != holder.spec_sha256:
        key = keys.unique(holder.idempotency_key or "")
        raise CorruptRecord(f"{key}: the job {holder.id} that it names is there with another spec")
    return True


def key_holder(ctx: Context, idempotency_key: str) -> Manifest | None:
    """The manifest of the job that an idempotency key stands for, or None."""
    if not keys.is_idempotency_key(idempotency_key):
        return None
    found = ctx.get(keys.unique(idempotency_key))
    return None if found is None else held_key(keys.unique(idempotency_key), found.body)


def _hold_key(ctx: Context, manifest: Manifest, give_up: Callable[[], bool]) -> Manifest:
    """The manifest that holds the idempotency key: ours, or that of an earlier submit."""
    key = keys.unique(manifest.idempotency_key or "")

    def put_and_read() -> Manifest | None:
        if create(ctx.bucket, key, manifest.body()).outcome == "won":
            return manifest
        standing = ctx.get(key)
        return None if standing is None else held_key(key, standing.body)

    return _until_known(ctx, put_and_read, give_up, manifest)


def _put_pending(ctx: Context, manifest: Manifest, give_up: Callable[[], bool]) -> None:
    key = keys.pending(manifest.priority, manifest.id, manifest.kind)

    def put_and_read() -> Manifest | None:
        write = create(ctx.bucket, key, manifest.body())
        if write.outcome != "unknown":  # lost: to our own earlier send, for the id is ours alone
            return manifest
        return manifest if locate(ctx, manifest) is not None else None

    _until_known(ctx, put_and_read, give_up, manifest)


def _until_known(
    ctx: Context, put_and_read: Callable[[], Manifest | None], give_up: Callable[[], bool], manifest: Manifest
) -> Manifest:
    pause_s = FIRST_PAUSE_S
    while True:
        standing = ctx.insist(put_and_read, lambda: _explain(give_up, manifest))
        if standing is not None:
            return standing
        _explain(give_up, manifest)
        ctx.runtime.sleep(pause_s * (0.5 + ctx.rng.random()))
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
        _explain(give_up, manifest)  # who slept here for an hour must not send again: the job may have come and gone


def _explain(give_up: Callable[[], bool], manifest: Manifest) -> bool:
    if give_up():
        raise Unavailable(
            f"the store did not say whether job {manifest.id} is in the queue",
            hint=f"Look for it later with `gpujob show {manifest.id}`, before you submit it again.",
        )
    return False
