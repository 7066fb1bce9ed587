"""done/<id>.json, the one linearization point: whoever creates it first has ended the job; nobody rewrites it."""

from __future__ import annotations

from collections.abc import Callable

from gpujob import keys
from gpujob.errors import CorruptRecord, Unavailable, WrongProtocol
from gpujob.protocol.context import FIRST_PAUSE_S, LONGEST_PAUSE_S, Context
from gpujob.protocol.writes import create
from gpujob.records import Result, decode


def commit(ctx: Context, result: Result, give_up: Callable[[], bool]) -> bool:
    """Puts the result if absent, signed where this party has a key, until that is known; True where the committed one is ours.

    Raises Unavailable when `give_up()` says so first; then nothing may be cleaned up, for the write may land later.
    """
    key = keys.done(result.id)
    body = ctx.identity.signed_result(result).body()
    pause_s = FIRST_PAUSE_S
    while True:
        write = create(ctx.bucket, key, body)
        if write.outcome == "won":
            return True
        try:
            standing = ctx.insist(lambda: ctx.get(key), give_up)
        except CorruptRecord:
            return False  # nobody can read what stands there, and it is never rewritten
        if standing is not None:
            return _is_ours(key, standing.body, result)
        if give_up():
            raise _unknown(key)
        ctx.runtime.sleep(pause_s * (0.5 + ctx.rng.random()))
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
        if give_up():  # a machine that slept here for an hour must not write again: the job may have ended and be gone
            raise _unknown(key)


def _unknown(key: str) -> Unavailable:
    return Unavailable(f"could not learn whether {key} was written")


def _is_ours(key: str, body: bytes, result: Result) -> bool:
    try:
        return decode(Result, key, body).nonce == result.nonce
    except (CorruptRecord, WrongProtocol):
        return False  # whatever stands there, it is not ours, and it is never rewritten
