"""A chaos run between whose people and whose server stands the fault proxy: what it is made of, and what it found.

Invariant: what is checked is read from the server itself, past the proxy.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from localstack.servers import BUCKET, Server

from gpujob.buckets.retrying import RetryingBucket
from gpujob.buckets.s3 import open_s3
from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.ids import new_id
from gpujob.store import JobStore
from tests.acceptance import chaos
from tests.faults import impatient
from tests.faults.crowd import Crowd
from tests.faults.draws import Chances, Fault
from tests.faults.proxy import FaultProxy

PLAN = chaos.Plan(
    workers=6,
    ttl_s=4.0,
    beat_s=1.0,
    job_s=0.05,
    kill_every_s=(3.0, 6.0),
    freeze_s=5.5,
    look_every_s=0.5,
    command=impatient.COMMAND,
)


@dataclass(frozen=True)
class Found:
    """What a run came to; it has raised before this where an invariant was broken."""

    server: str
    rate: float
    requests: int
    faults: Counter[Fault]
    report: chaos.Report
    again: Counter[str]
    waits: int

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items()))
        return (
            f"{self.server} at {self.rate:.0%}: {self.report}; {self.requests} requests, {self.faults.total()} faults: "
            f"{kinds}; {self.waits} waiters told the truth; asked again: {dict(self.again)}"
        )


def fresh_url() -> str:
    """A place of its own in the servers' bucket."""
    return f"s3://{BUCKET}/{new_id(SYSTEM.now(), system_random())}"


def run(server: Server, chances: Chances, plan: chaos.Plan) -> Found:
    """One run. The environment of this process must lead to the server itself."""
    url = fresh_url()
    with FaultProxy(server.port, chances, plan.seed, late_s=impatient.LATE_S) as proxy:
        with tempfile.TemporaryDirectory(prefix="gpujob-crowd-", ignore_cleanup_errors=True) as out:
            people = Crowd(through(server, url, proxy.endpoint), Path(out))
            env = {**server.environment(url), "AWS_ENDPOINT_URL_S3": proxy.endpoint, **impatient.environment()}
            report = chaos.run(url, plan, env, crowd=people, meanwhile=lambda ended: people.complain())
            people.hold_against(through(server, url, server.endpoint))
        return Found(server.name, chances.rate, proxy.requests, proxy.faults, report, people.again, len(people.told))


def through(server: Server, url: str, endpoint: str) -> JobStore:
    """The queue at `url`, reached at an endpoint of the server's or in front of it, by somebody impatient."""
    prefix = url.removeprefix(f"s3://{BUCKET}/")
    bucket = open_s3(BUCKET, prefix, endpoint_url=endpoint, session=server.session(), timeouts=impatient.SHORT)
    return JobStore(RetryingBucket(bucket, SYSTEM, system_random()))
