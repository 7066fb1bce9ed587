"""queue.json: what holds for the whole queue. Read once at opening, written by `gpujob init` only."""

from __future__ import annotations

from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.errors import Configuration, Conflict, CorruptRecord, NotInitialised
from gpujob.protocol.context import Context
from gpujob.protocol.writes import create, replace
from gpujob.records import MAX_RECORD_BYTES, QueueConfig, decode


def load(bucket: Bucket) -> QueueConfig | None:
    """The queue's configuration, or None where the bucket holds no queue. One GET. Raises Configuration, WrongProtocol."""
    try:
        found = bucket.get(keys.QUEUE, max_bytes=MAX_RECORD_BYTES)
    except CorruptRecord as error:
        raise Configuration(f"{bucket.url} has a queue.json that cannot be read: {error.message}") from error
    if found is None:
        return None
    try:
        return decode(QueueConfig, keys.QUEUE, found.body)
    except CorruptRecord as error:
        raise Configuration(
            f"{bucket.url} has a queue.json that cannot be believed: {error.message}",
            hint=f"Somebody altered it. Remove it, then run `gpujob init {bucket.url}`; the jobs stay.",
        ) from error


def require(bucket: Bucket) -> QueueConfig:
    """The queue's configuration; NotInitialised, naming `gpujob init`, where there is none."""
    config = load(bucket)
    if config is None:
        raise NotInitialised(
            f"{bucket.url} holds no queue yet", hint=f"Run `gpujob init {bucket.url}` once; it checks the store first."
        )
    return config


def save(ctx: Context, config: QueueConfig) -> QueueConfig:
    """Writes queue.json, if absent or if its version matches; returns what stands there in the end.

    The caller has probed the store. Raises Conflict where somebody else wrote another one at the same moment.
    """
    wanted = config.model_copy(update={"nonce": ctx.nonce()})
    found = ctx.get(keys.QUEUE)
    if found is None:
        write = create(ctx.bucket, keys.QUEUE, wanted.body())
    else:
        write = replace(ctx.bucket, keys.QUEUE, wanted.body(), found.version)
    if write.outcome == "won":
        return wanted
    standing = ctx.insist(lambda: require(ctx.bucket), ctx.patience(30))
    if standing.nonce != wanted.nonce and standing.model_copy(update={"nonce": ""}) != config.model_copy(
        update={"nonce": ""}
    ):
        raise Conflict("somebody else wrote queue.json at the same moment", hint="Run `gpujob init` again.")
    return standing
