"""A chaos run between whose people and whose server stands the fault proxy: what it is made of, and what it found.

Invariant: what is checked is read from the server itself, past the proxy.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localstack.servers import BUCKET, LOOPBACK, Server

from gpujob.buckets.base import Bucket
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


@dataclass(frozen=True)
class Target:
    """A queue on some server: `environment` leads a program there, and with another value of one variable to a proxy."""

    name: str
    port: int
    url: str
    environment: Mapping[str, str]
    endpoint_variable: str
    opened: Callable[[str], Bucket]

    def store(self, port: int) -> JobStore:
        """The queue as somebody impatient reaches it through that port of this machine."""
        bucket = self.opened(f"http://{LOOPBACK}:{port}")
        return JobStore(RetryingBucket(bucket, SYSTEM, system_random()))


def on_server(server: Server) -> Target:
    """A queue at a place of its own on a real server."""
    prefix = new_id(SYSTEM.now(), system_random())
    url = f"s3://{BUCKET}/{prefix}"

    def opened(endpoint: str) -> Bucket:
        return open_s3(BUCKET, prefix, endpoint_url=endpoint, session=server.session(), timeouts=impatient.SHORT)

    return Target(server.name, server.port, url, server.environment(url), "AWS_ENDPOINT_URL_S3", opened)


def run(target: Target, chances: Chances, plan: chaos.Plan) -> Found:
    """One run. The environment of this process must lead to the server itself."""
    with FaultProxy(target.port, chances, plan.seed, late_s=impatient.LATE_S) as proxy:
        with tempfile.TemporaryDirectory(prefix="gpujob-crowd-", ignore_cleanup_errors=True) as out:
            people = Crowd(target.store(proxy.port), Path(out))
            env = {**target.environment, target.endpoint_variable: proxy.endpoint, **impatient.environment()}
            report = chaos.run(target.url, plan, env, crowd=people, meanwhile=lambda ended: people.complain())
            people.hold_against(target.store(target.port))
        return Found(target.name, chances.rate, proxy.requests, proxy.faults, report, people.again, len(people.told))
