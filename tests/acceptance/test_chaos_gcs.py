"""Nothing lost, nothing committed twice on gs:// while workers are killed and frozen: on our own imitation, in real time."""

from __future__ import annotations

import pytest

from tests.acceptance import chaos
from tests.acceptance.test_chaos import alone, say
from tests.google.imitation import BUCKET, imitation
from tests.sizing import only_at_full_size

__all__ = ["alone"]

pytestmark = pytest.mark.xdist_group("chaos")  # one at a time, and nobody else waits for it

PLAN = chaos.Plan(
    jobs=20,
    ttl_s=6.0,  # a beat every two seconds is the most that Google takes
    beat_s=2.0,
    job_s=0.8,
    first_blow_s=3.0,
    kill_every_s=(1.0, 2.0),
    most_blows=6,  # each costs ten seconds of waiting for a lease to run out
    freeze_s=8.0,
    deadline_s=400.0,
    seed=9,
)


@pytest.mark.timeout(600)
def test_chaos_on_google(monkeypatch: pytest.MonkeyPatch) -> None:
    only_at_full_size("chaos on gs://, whose leases live for six seconds at least")
    with imitation() as served:
        for name, value in served.by_key.items():
            monkeypatch.setenv(name, value)
        say(chaos.run(f"gs://{BUCKET}/team/queue", PLAN, served.by_key))
        print(f"{served.service.turnstile.put_off} requests were put off")
