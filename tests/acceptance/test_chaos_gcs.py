"""Nothing lost, nothing committed twice on gs:// while workers are killed and frozen: on our own imitation, in real time.

Once more behind the fault proxy, with the two orders in which the service may look at a request: whether the object was
changed a moment ago (429), and whether the condition holds (412).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpujob.buckets.base import Bucket
from gpujob.buckets.gcs import open_gcs
from tests.acceptance import chaos
from tests.acceptance.test_chaos import alone, say
from tests.faults import impatient, trials
from tests.faults.draws import Chances
from tests.google.imitation import BUCKET, Imitation, imitation
from tests.sizing import only_at_full_size

__all__ = ["alone"]

pytestmark = pytest.mark.xdist_group("chaos")  # one at a time, and nobody else waits for it

PLAN = chaos.Plan(
    jobs=20,
    ttl_s=12.0,  # twice the least, so that on a loaded machine only the blows cost a lease
    beat_s=2.0,  # the most that Google takes
    job_s=0.8,
    first_blow_s=3.0,
    kill_every_s=(1.0, 2.0),
    most_blows=6,  # each costs a quarter of a minute of waiting for a lease to run out
    freeze_s=15.0,
    deadline_s=500.0,
    seed=9,
)


@pytest.mark.timeout(600)
def test_chaos_on_google(monkeypatch: pytest.MonkeyPatch) -> None:
    only_at_full_size("chaos on gs://, whose leases live for long")
    with imitation() as served:
        for name, value in served.by_key.items():
            monkeypatch.setenv(name, value)
        say(chaos.run(f"gs://{BUCKET}/team/queue", PLAN, served.by_key))
        print(f"{served.service.turnstile.put_off} requests were put off")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("busy_first", [True, False], ids=["429 first", "412 first"])
def test_chaos_on_google_behind_the_fault_proxy(busy_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    only_at_full_size("chaos on gs:// behind the fault proxy")
    plan = replace(PLAN, command=impatient.COMMAND, job_s=0.2, deadline_s=800.0)
    with imitation(busy_first=busy_first) as served:
        for name, value in served.by_key.items():
            monkeypatch.setenv(name, value)
        found = trials.run(_target(served), Chances(0.1), plan)
        print(f"{found}; {served.service.turnstile.put_off} requests were put off")
    assert found.report.kills > 0 and found.waits == PLAN.jobs
    assert found.faults.total() > found.requests / 20


def _target(served: Imitation) -> trials.Target:
    """A queue at a place of its own, for whoever has the HMAC key."""
    prefix = "behind/faults"

    def opened(endpoint: str) -> Bucket:
        return open_gcs(BUCKET, prefix, endpoint_url=endpoint, timeouts=impatient.SHORT)

    port = int(served.host.rpartition(":")[2])
    return trials.Target("gs://", port, f"gs://{BUCKET}/{prefix}", served.by_key, "GPUJOB_GCS_ENDPOINT", opened)
