"""One echo job as bytes, and its bare requests: what gpujob is compared with.

Invariant: the bodies are those that gpujob itself would write, and the requests are the eight of one job in the order
of the protocol; nothing is parsed, decided or logged in between.
"""

from __future__ import annotations

from typing import Any

from gpujob import keys, manifests
from gpujob.buckets.base import Bucket
from gpujob.chance import nonce, system_random
from gpujob.clock import SYSTEM
from gpujob.decisions import first_lease
from gpujob.ids import new_id
from gpujob.protocol.results import ended
from gpujob.records import Manifest, QueueConfig
from gpujob.specs import parse_object

KIND = "echo"
_rng = system_random()


def spec(number: int = 0) -> dict[str, Any]:
    """The job that every measurement submits."""
    return {"kind": KIND, "input": {"message": f"number {number}"}}


def ids(count: int) -> list[str]:
    """Fresh ids."""
    return [new_id(SYSTEM.now(), _rng) for _ in range(count)]


def manifest(job_id: str) -> Manifest:
    """The job's manifest, as `submit` makes it."""
    now = SYSTEM.now()
    return manifests.make(parse_object(spec()), job_id=job_id, nonce=nonce(_rng), now=now, config=QueueConfig())


class RawJob:
    """The bare requests of jobs. One set of bodies serves them all, since a store does not read them."""

    def __init__(self) -> None:
        now = SYSTEM.now()
        job = manifest(ids(1)[0])
        lease = first_lease(job, worker="benchmark", nonce=nonce(_rng), ttl_s=30, beat_s=10, first_seen=now, now=now)
        self.pending = job.body()
        self.leased = lease.body()
        self.done = ended(lease, "succeeded", now=now, output={"message": "number 0"}).body()

    def submit(self, bucket: Bucket, job_id: str) -> None:
        """A submitter's: PUT."""
        bucket.create(_pending(job_id), self.pending)

    def claim(self, bucket: Bucket, job_id: str) -> None:
        """A claim's: GET, PUT, HEAD, DELETE."""
        bucket.get(_pending(job_id))
        bucket.create(keys.leased(job_id), self.leased)
        bucket.head(keys.done(job_id))
        bucket.delete(_pending(job_id))

    def finish(self, bucket: Bucket, job_id: str) -> None:
        """An ending's: PUT, DELETE."""
        bucket.create(keys.done(job_id), self.done)
        bucket.delete(keys.leased(job_id))

    def wait(self, bucket: Bucket, job_id: str) -> None:
        """A waiter's last: GET."""
        bucket.get(keys.done(job_id))


def _pending(job_id: str) -> str:
    return keys.pending("normal", job_id, KIND)
