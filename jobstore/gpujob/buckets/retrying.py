"""Sends requests again where that is safe, and never turns an own success into "lost".

Invariant: a conditional write has three outcomes, and this decorator keeps them apart. `create` and `replace` are sent
again only after `Busy` (nothing was decided), with the same bytes and condition, and never after a sleep that outlasted
the patience, for what an earlier send wrote may have come and gone meanwhile; once one was sent twice, a
`PreconditionFailed` may speak of the first send, so it becomes `Unavailable`: nobody knows, read the object.
`Unavailable` from a conditional write is raised at once. Reads, listings, deletes and uploads may be repeated freely.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from gpujob.buckets.base import Bucket
from gpujob.buckets.wrapped import CONDITIONAL, WrappedBucket
from gpujob.chance import Random
from gpujob.clock import Runtime
from gpujob.errors import BucketError, Busy, PreconditionFailed, Unavailable

T = TypeVar("T")


class RetryingBucket(WrappedBucket):
    """A bucket that waits and tries again: `attempts` sends at most, and none that would begin after `patience_s`.

    A read, listing, delete or upload that still fails raises the last error. A conditional write that was sent more
    than once and not decided raises `Unavailable`. A download is retried until it is open; if its stream breaks, the
    caller gets `Unavailable` and resumes with `offset`.
    """

    def __init__(
        self,
        inner: Bucket,
        runtime: Runtime,
        rng: Random,
        *,
        attempts: int = 5,
        patience_s: float = 20.0,
        first_wait_s: float = 0.1,
        longest_wait_s: float = 5.0,
    ) -> None:
        super().__init__(inner)
        self._runtime = runtime
        self._rng = rng
        self._attempts = attempts
        self._patience_s = patience_s
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        if verb in CONDITIONAL:
            return self._decide(verb, key, call)
        return self._patiently((Busy, Unavailable), call)

    def _decide(self, verb: str, key: str, call: Callable[[], T]) -> T:
        sends, started_s = 0, self._runtime.elapsed()

        def send() -> T:
            nonlocal sends
            if sends and self._runtime.elapsed() - started_s > self._patience_s:
                raise Busy(f"{verb} {key} was put off, and is not sent again: this machine slept meanwhile")
            sends += 1
            return call()

        try:
            return self._patiently((Busy,), send)
        except (PreconditionFailed, Busy) as error:
            if sends == 1:
                raise
            raise Unavailable(
                f"{verb} {key} was sent {sends} times and the last answer was: {error}; whether it landed is unknown"
            ) from error

    def _patiently(self, repeatable: tuple[type[BucketError], ...], call: Callable[[], T]) -> T:
        started_s = self._runtime.elapsed()
        try:
            return call()  # nearly always the end of it, so the policy is only made for a request that failed
        except repeatable as error:
            sent = [error]

        def again() -> T:
            if sent:
                raise sent.pop()
            return call()

        return self._policy(repeatable, started_s)(again)

    def _policy(self, repeatable: tuple[type[BucketError], ...], started_s: float) -> Retrying:
        def stop(state: RetryCallState) -> bool:
            next_s = self._runtime.elapsed() + state.upcoming_sleep
            return state.attempt_number >= self._attempts or next_s - started_s > self._patience_s

        return Retrying(
            retry=retry_if_exception_type(repeatable),
            stop=stop,
            wait=self._wait_s,
            sleep=self._runtime.sleep,
            reraise=True,
        )

    def _wait_s(self, state: RetryCallState) -> float:
        """Doubles with each attempt; between half and all of it, at random, so that clients do not march in step."""
        longest_s = min(self._longest_wait_s, self._first_wait_s * 2.0 ** min(state.attempt_number - 1, 60))
        return longest_s * self._rng.uniform(0.5, 1.0)
