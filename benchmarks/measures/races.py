"""A bucket that counts what its worker did in vain because another one was first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gpujob import keys
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.errors import PreconditionFailed

T = TypeVar("T")


class RaceWatch(WrappedBucket):
    """`refused` counts PUTs of a lease that stood already, `gone` GETs of a job that was claimed meanwhile."""

    refused = 0
    gone = 0

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        try:
            answer = call()
        except PreconditionFailed:
            self.refused += verb == "create" and key.startswith(keys.LEASED)
            raise
        self.gone += answer is None and verb == "get" and key.startswith(keys.PENDING)
        return answer
