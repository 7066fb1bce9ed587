"""Deletes, all of them garbage collection: each may be lost, late or repeated without harm.

Every function here states what its caller has positively seen; call none on an unknown outcome. What a party's role may
not delete stays for one whose role may: that is said once and not tried again, but to an operator's `remove` it is an error.
"""

from __future__ import annotations

from collections.abc import Callable

from gpujob import keys
from gpujob.errors import BucketError, Denied
from gpujob.protocol.context import Context, log
from gpujob.records import Manifest

Delete = Callable[[Context, str], bool]


def drop(ctx: Context, key: str) -> bool:
    """Deletes `key`; True where the store confirmed it. A failure is left to whoever passes here next."""
    folder = keys.folder_of(key)
    if folder in ctx.kept:
        return False
    try:
        return remove(ctx, key)
    except Denied as error:
        ctx.kept.add(folder)
        log.warning("what is below %s stays for one who may delete there (`gpujob gc`): %s", folder, error)
        return False


def remove(ctx: Context, key: str) -> bool:
    """As `drop`, for whoever asked for the deletion itself: raises Denied where the role may not delete."""
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
