"""Deletes, all of them garbage collection: each may be lost, late or repeated without harm.

Every function here states what its caller has positively seen; call none on an unknown outcome.
"""

from __future__ import annotations

from gpujob import keys
from gpujob.errors import BucketError
from gpujob.protocol.context import Context, log
from gpujob.records import Manifest


def drop(ctx: Context, key: str) -> bool:
    """Deletes `key`; True where the store confirmed it. A failure is left to whoever passes here next."""
    try:
        ctx.bucket.delete(key)
    except BucketError as error:
        log.debug("could not delete %s: %s", key, error)
        return False
    return True


def drop_pending(ctx: Context, manifest: Manifest) -> bool:
    """Deletes a job's pending object. The caller has seen its lease running, or its result."""
    return drop(ctx, keys.pending(manifest.priority, manifest.id, manifest.kind))


def after_done(ctx: Context, manifest: Manifest, *, pending_gone: bool = False) -> None:
    """Deletes what a finished job leaves. The caller has seen done/<id>."""
    if not pending_gone:
        drop_pending(ctx, manifest)
    drop(ctx, keys.leased(manifest.id))
