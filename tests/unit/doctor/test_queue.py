"""The queue's side of `doctor`, on a bucket in memory: its workers, its jobs, its bill, the verdict on its store."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.chance import Random
from gpujob.clock import SYSTEM
from gpujob.errors import Denied
from gpujob.protocol.context import Context
from gpujob.records import Presence, QueueConfig
from gpujob_cli import costs
from gpujob_cli.examinations import backlog, bill, crew, reaching, safety
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.safety import Effort
from tests.hostile.objects import Maker


@pytest.fixture
def ctx() -> Context:
    return Context(MemoryBucket(), SYSTEM, Random(5))


def presence(ctx: Context, name: str, **fields: Any) -> None:
    ctx.bucket.create(keys.worker(name), Presence(id=name, session="s", started_at=0.0, **fields).body())


def of_crew(ctx: Context) -> Finding:
    (found,) = crew.of_crew(crew.read(ctx))
    return found


def test_nobody_is_a_note_with_the_command(ctx: Context) -> None:
    found = of_crew(ctx)
    assert (found.status, found.text, found.next) == ("note", "none is live", "gpujob worker run")


def test_records_that_are_nonsense_are_no_workers(ctx: Context) -> None:
    presence(ctx, "w-1", kinds=("echo",), machine={"gpu": ["not", "text"], "gpu_memory": "much"})
    ctx.bucket.create(f"{keys.WORKERS}w-2.json", b"[]")
    ctx.bucket.create(f"{keys.WORKERS}folder/w-3.json", b"{}")
    found = of_crew(ctx)
    assert found.lines == ("w-1: no GPU; idle; serves echo; seen just now",)
    assert found.facts["live"][0]["gpu_memory_bytes"] == 0


def test_workers_that_went_without_a_word_are_told_with_when() -> None:
    now = [1_700_000_000.0]
    ctx = Context(MemoryBucket(now=lambda: now[0]), SYSTEM, Random(5))
    presence(ctx, "gone-1", kinds=("echo",))
    now[0] += 90_000
    presence(ctx, "gone-2", kinds=("echo",), every_s=1.0)
    now[0] += 4
    presence(ctx, "w-1", kinds=("echo",))
    found = of_crew(ctx)
    assert found.facts["stale"] == ["gone-2", "gone-1"] and found.text == "1 live, 2 stale"
    assert found.lines[1:] == (
        "gone-2: went without a word, last seen 4 s ago",
        "gone-1: went without a word, last seen 1 day ago",
    )
    assert found.status == "note" and "gpujob gc" in found.next


def test_a_warning_of_a_worker_is_a_note(ctx: Context) -> None:
    presence(ctx, "w-1", kinds=("echo",), warnings=("the disk is nearly full",))
    found = of_crew(ctx)
    assert found.status == "note" and "w-1: the disk is nearly full" in found.text


def test_no_more_records_are_read_than_the_limit(ctx: Context) -> None:
    for number in range(crew.MOST_READ + 3):
        presence(ctx, f"w-{number}")
    found = crew.read(ctx)
    assert (len(found.live), found.unread) == (crew.MOST_READ, 3)


@pytest.mark.parametrize("junk", ["workers/junk-{}", "workers/junk/{}.json", "workers/junk-{}.json"])
def test_sixty_foreign_objects_hid_a_worker_that_lives(junk: str) -> None:
    ticks = itertools.count(1_700_000_000)
    ctx = Context(MemoryBucket(now=lambda: next(ticks) / 10), SYSTEM, Random(5))
    presence(ctx, "w-1", kinds=("echo",))
    for number in range(60):
        ctx.bucket.create(junk.format(number), b"junk")
    found = of_crew(ctx)
    assert found.text == "1 live" and found.facts["unread"] == 0


def test_a_page_of_foreign_keys_hid_a_worker_that_lives(ctx: Context) -> None:
    for number in range(1001):
        ctx.bucket.create(f"workers/junk-{number:04}", b"")
    presence(ctx, "w-1", kinds=("echo",))
    assert of_crew(ctx).text == "1 live"


def test_a_record_copied_under_other_keys_was_three_workers(ctx: Context) -> None:
    presence(ctx, "w-1", kinds=("echo",))
    copied = ctx.bucket.get(keys.worker("w-1"))
    assert copied is not None
    for name in ("w-2", "w-3"):
        ctx.bucket.create(keys.worker(name), copied.body)
    found = of_crew(ctx)
    assert found.text == "1 live" and [one["id"] for one in found.facts["live"]] == ["w-1"]


def looked_at(store: JobStore) -> Finding:
    (found,) = backlog.look(store.context)
    return found


def test_an_empty_queue_and_one_whose_jobs_nobody_takes() -> None:
    ticks = itertools.count(1_700_000_000)
    store = JobStore(MemoryBucket(now=lambda: float(next(ticks))))
    assert looked_at(store).text == "none waits, none runs"
    first = store.submit({"kind": "echo", "input": {"message": "a"}}).manifest
    store.submit({"kind": "echo", "input": {"message": "b"}, "priority": "high"})
    found = looked_at(store)
    assert found.facts["waiting"] == {"high": 1, "normal": 1} and found.facts["kinds"] == {"echo": 2}
    assert (found.status, found.facts["reason"]) == ("note", "no_worker")
    assert found.facts["oldest"] == first.id and f"{first.id} has waited longest" in found.text
    assert "gpujob worker run" in found.next


def test_foreign_objects_are_no_jobs() -> None:
    store = JobStore(MemoryBucket())
    store.context.bucket.create("pending/5/strange", b"x")
    store.context.bucket.create("leased/strange", b"x")
    found = looked_at(store)
    assert found.facts["waiting"] == {} and found.facts["leases_read"] == 0


def test_foreign_objects_under_leased_were_jobs_with_workers() -> None:
    store = JobStore(MemoryBucket())
    for number in range(7):
        store.context.bucket.create(f"leased/junk-{number}.json", b"junk")
    assert looked_at(store).text == "none waits, none runs"


def test_a_lease_copied_under_another_jobs_key_ran_twice() -> None:
    store = JobStore(MemoryBucket())
    body = json.dumps(Maker().lease("01jd3k8v9x2m4n6p8q0r2s4t6v")).encode()
    for job_id in ("01jd3k8v9x2m4n6p8q0r2s4t6v", "01jd3k8v9x2m4n6p8q0r2s4t6w"):
        store.context.bucket.create(keys.leased(job_id), body)
    found = looked_at(store)
    assert (found.facts["leased"], found.facts["running_of_read"]) == (2, 1)


def test_a_page_of_foreign_keys_hid_the_jobs_behind_it() -> None:
    store = JobStore(MemoryBucket())
    for number in range(1001):
        store.context.bucket.create(f"pending/5/!{number:04}", b"")
        store.context.bucket.create(f"leased/!{number:04}", b"")
    job = store.submit({"kind": "echo", "input": {"message": "a"}}).id
    found = looked_at(store)
    assert found.facts["waiting"] == {"normal": 1} and found.facts["oldest"] == job and not found.facts["more"]


def test_more_foreign_keys_than_are_listed_are_no_empty_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST_KEYS", 5)
    store = JobStore(MemoryBucket())
    for number in range(6):
        store.context.bucket.create(f"pending/5/!{number:04}", b"")
    store.submit({"kind": "echo", "input": {"message": "a"}})
    found = looked_at(store)
    assert (found.status, found.next) == ("note", "gpujob fsck") and found.text.startswith("not known")


def test_the_bill_counts_the_workers_that_live() -> None:
    one, three = (bill.of_queue(QueueConfig(), workers, "https://s3.amazonaws.com") for workers in (0, 3))
    assert one.facts["requests_a_month"] == one.facts["of_one_worker"]
    assert three.facts["requests_a_month"] == pytest.approx(3 * one.facts["requests_a_month"], abs=2)
    assert three.text.startswith("3 idle workers poll") and "on AWS S3" in three.text
    assert three.facts["dollars_a_thousand_jobs"] == 0.0162
    assert "not billed" in bill.of_queue(QueueConfig(), 1, "http://127.0.0.1:9000").text


def test_an_hour_of_waiting_is_a_look_every_five_seconds() -> None:
    assert costs.waiter_hour() == costs.Requests(writes=480.0, reads=960.0)


# -- the verdict on the store


class NoProbe(WrappedBucket):
    """A bucket whose role may not write below probe/."""

    def _request(self, verb: str, key: str, call: Any) -> Any:
        if verb == "create" and key.startswith("probe/"):
            raise Denied("no")
        return call()


def verdict(bucket: Any, config: QueueConfig | None) -> Finding:
    (found,) = safety.tried(bucket, config, Effort(racers=4, rounds=1))
    return found


def test_each_row_of_the_probe_is_told() -> None:
    found = verdict(MemoryBucket(), None)
    assert found.status == "ok" and len(found.lines) == 9
    assert found.lines[0].endswith("create, absent: created")


def test_a_careless_store_is_broken_with_the_row_that_shows_it() -> None:
    class Careless(MemoryBucket):
        def create(self, key: str, body: bytes) -> str:
            self.delete(key)
            return super().create(key, body)

    found = verdict(Careless(), None)
    assert found.status == "broken" and "overwrites" in found.text
    assert any("create, present: overwritten, expected: refused" in line for line in found.lines)


def test_a_role_that_may_not_probe_is_told_what_init_found() -> None:
    assert verdict(NoProbe(MemoryBucket()), QueueConfig(verdict={"safe": True})).status == "ok"
    assert verdict(NoProbe(MemoryBucket()), QueueConfig()).status == "note"
    assert verdict(NoProbe(MemoryBucket()), None).facts == {"tried": False, "safe_at_init": False}


def test_the_latency_of_a_role_that_may_not_write_is_measured_without() -> None:
    (found,) = reaching.latency(NoProbe(MemoryBucket()), write=True)
    assert set(found.facts) == {"GET", "LIST"}


def test_what_was_written_for_the_latency_is_gone() -> None:
    bucket = MemoryBucket()
    (found,) = reaching.latency(bucket, write=True)
    assert set(found.facts) == {"PUT", "GET", "LIST"} and bucket.list("").entries == ()
