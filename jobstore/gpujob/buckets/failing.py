"""Injects the failures of a real network from a seed: before the call is applied, or after it.

Invariant: what it raises is always true. `Busy` means that the call was not applied; `Unavailable` is raised for calls
that were applied and for calls that were not, so nobody can tell them apart. The same seed and the same order of
calls give the same faults: every call draws the same number of random numbers.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from gpujob.buckets.base import Bucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.chance import Random
from gpujob.errors import BucketError, Busy, Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rates:
    """Chances of a fault, 0 to 1: before the call is applied, after it was; of those before, the share of `Busy`."""

    before: float = 0.0
    after: float = 0.0
    busy_share: float = 0.5


class FailingBucket(WrappedBucket):
    """A bucket whose requests fail at random.

    `rates` overrides the two general rates for single verbs. `rate_broken` is the chance that a download's stream
    breaks before its end. `faults` counts what was injected by verb and kind: busy, before, after, broken.
    """

    def __init__(
        self,
        inner: Bucket,
        rng: Random,
        rate_before: float = 0.0,
        rate_after: float = 0.0,
        *,
        rates: Mapping[str, Rates] | None = None,
        rate_broken: float = 0.0,
    ) -> None:
        super().__init__(inner)
        self._rng = rng
        self._usual = Rates(rate_before, rate_after)
        self._rates = dict(rates or {})
        self._rate_broken = rate_broken
        self._lock = threading.Lock()
        self.faults: Counter[tuple[str, str]] = Counter()

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        fault = self._draw(verb)
        if fault == "busy":
            raise Busy(f"injected: {verb} {key} was not applied")
        if fault == "before":
            raise Unavailable(f"injected: the connection broke during {verb} {key}")
        if fault != "after":
            return call()
        with suppress(BucketError):  # even a refusal is lost on the way back
            call()
        raise Unavailable(f"injected: the connection broke during {verb} {key}")

    def _draw(self, verb: str) -> str | None:
        rates = self._rates.get(verb, self._usual)
        with self._lock:
            before, busy, after = self._rng.random(), self._rng.random(), self._rng.random()
            if before < rates.before:
                fault = "busy" if busy < rates.busy_share else "before"
            elif after < rates.after:
                fault = "after"
            else:
                return None
            self.faults[verb, fault] += 1
            return fault

    @contextmanager
    def download(self, key: str, *, offset: int = 0) -> Iterator[Iterator[bytes] | None]:
        with super().download(key, offset=offset) as chunks:
            yield None if chunks is None else self._breaking(key, chunks)

    def _breaking(self, key: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        with self._lock:
            broken, share = self._rng.random() < self._rate_broken, self._rng.random()
        for chunk in chunks:
            if broken:
                yield chunk[: int(len(chunk) * share)]
                with self._lock:
                    self.faults["download", "broken"] += 1
                raise Unavailable(f"injected: the connection broke within {key}")
            yield chunk
