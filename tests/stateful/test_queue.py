"""Random operations on a real queue against a plain model of one.

The model knows nothing of keys, versions or leases: a job is waiting, running, or ended, with four counters and two
moments. After every operation the queue must say of every job what the model says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from gpujob import keys
from gpujob.buckets.memory import MemoryBucket
from gpujob.chance import Random
from gpujob.decisions import FREE_RELEASES, MAX_LOSSES
from gpujob.errors import Conflict, LeaseLost, NotFound
from gpujob.protocol import listing
from gpujob.protocol.claim import Claimer, settle
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.results import ended
from gpujob.records import JobError, QueueConfig
from gpujob.store import JobStore
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from tests.sizing import pick

TTL_S, FENCE_S, RETENTION_S, JOB_TTL_S, BACKOFF_S, MAX_ATTEMPTS = 30.0, 25.0, 3600.0, 400.0, 40.0, 3


@dataclass(frozen=True)
class Job:
    """What the model knows of a job."""

    message: str
    state: str = "queued"  # queued, running, or how it ended
    holder: int = 0  # the number of the claim that owns it
    beaten_s: float = 0.0  # when its lease was written last
    due_s: float = 0.0  # the earliest moment of the next attempt: up to half of the wait is drawn
    sure_s: float = 0.0  # the latest one
    expires_s: float = 0.0
    ended_s: float = 0.0
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    releases: int = 0

    @property
    def active(self) -> bool:
        return self.state in ("queued", "running")


class QueueMachine(RuleBasedStateMachine):
    """The queue and its model."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.machine = TimeMachine(MemoryBucket(now=lambda: 1_750_000_000.0))
        self.clock = ManualRuntime(self.machine)
        config = QueueConfig(ttl_s=TTL_S, beat_s=10.0, retention_s=RETENTION_S)
        self.store = JobStore(self.machine, config=config, runtime=self.clock, rng=Random(1), patience_s=5.0)
        self.model: dict[str, Job] = {}
        self.names: dict[str, str] = {}
        self.claimed = 0

    @property
    def now_s(self) -> float:
        return self.clock.elapsed()

    def change(self, job_id: str, **changes: Any) -> None:
        self.model[job_id] = replace(self.model[job_id], **changes)

    def end(self, job_id: str, state: str) -> None:
        self.change(job_id, state=state, ended_s=self.now_s)

    # -- submitters

    @rule(target=jobs, message=st.sampled_from(["a", "b"]))
    def submit(self, message: str) -> str:
        job = self.store.submit(self._spec(message))
        self.model[job.id] = Job(message, expires_s=self.now_s + JOB_TTL_S)
        return job.id

    @rule(target=jobs, name=st.sampled_from(["n1", "n2"]), message=st.sampled_from(["a", "b"]))
    def submit_with_a_key(self, name: str, message: str) -> Any:
        spec = {**self._spec(message), "idempotency_key": name}
        known = self.names.get(name)
        if known is not None and self.model[known].message != message:
            with pytest.raises(Conflict):
                self.store.submit(spec)
            return multiple()
        job = self.store.submit(spec)
        if known is not None:
            assert (job.id, job.already) == (known, True)
            return multiple()
        assert not job.already
        self.names[name] = job.id
        self.model[job.id] = Job(message, expires_s=self.now_s + JOB_TTL_S)
        return job.id

    @rule(job_id=jobs)
    def submit_again_by_id(self, job_id: str) -> None:
        """A submitter that did not hear the first answer sends the same manifest again."""
        if job_id in self.model and self.model[job_id].state == "queued" and self.model[job_id].attempt == 0:
            found = self.store.status(job_id)
            assert found.manifest is not None
            self.store.submit_manifest(found.manifest)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        if job_id not in self.model:
            with pytest.raises(NotFound):
                self.store.cancel(job_id)
            return
        active = self.model[job_id].active
        _, ours = self.store.cancel(job_id)
        assert ours == active
        if active:
            self.end(job_id, "cancelled")

    # -- workers

    @rule(target=claims, worker=st.sampled_from(["w1", "w2", "w3"]))
    def claim(self, worker: str) -> Any:
        finder = self.store.poller(worker, serves_kind=lambda kind: True, serves=lambda manifest: True)
        held = finder.next()
        before = dict(self.model)
        for job_id in before:
            self._ended_on_the_way(job_id)
        if held is None:
            assert not any(self._surely_claimable(job) for job in self.model.values()), (
                "a job that was there was not found"
            )
            return multiple()
        return self._claimed(held)

    @rule(target=claims, job_id=jobs)
    def take_this_one(self, job_id: str) -> Any:
        """A claim of one job by its pending key, which may be stale."""
        claimer = Claimer(self.store.context, worker="w4", beats=self.machine)
        got = claimer.claim(keys.pending("normal", job_id, "echo"))
        if job_id in self.model:
            self._ended_on_the_way(job_id)
        return self._claimed(got) if isinstance(got, HeldLease) else multiple()

    @rule(claim=claims)
    def beat(self, claim: tuple[int, HeldLease]) -> None:
        number, held = claim
        owns = self._owns(number, held)
        fenced = self.now_s >= held.trusted_until_s
        held.beat()
        assert held.trusted() == (owns and not fenced) or (not owns and held.lost == "" and held._closed.is_set())
        if owns and not fenced and not held._closed.is_set():
            self.change(held.id, beaten_s=self.now_s)

    @rule(claim=consumes(claims), how=st.sampled_from(["succeeded", "failed"]))
    def finish(self, claim: tuple[int, HeldLease], how: str) -> None:
        held = claim[1]
        error = JobError(type="engine", message="broke", retryable=False) if how == "failed" else None
        if self.now_s >= held.trusted_until_s or held.lost:
            with pytest.raises(LeaseLost):
                self._settle(held, how, error)
        elif held.id not in self.model:
            held.close()
        elif self.model[held.id].active:
            assert self._settle(held, how, error), "the first result counts, even that of a worker that is late"
            self.end(held.id, how)
        else:
            assert not self._settle(held, how, error)

    @rule(claim=consumes(claims), gives_up=st.sampled_from(["fail", "release"]))
    def give_up(self, claim: tuple[int, HeldLease], gives_up: str) -> None:
        number, held = claim
        job = self.model.get(held.id)
        if job is None or not self._owns(number, held) or self.now_s >= held.trusted_until_s or held.lost:
            with pytest.raises(LeaseLost):
                self._give_up(held, gives_up)
            return
        if gives_up == "fail" and job.failures + 1 >= MAX_ATTEMPTS:
            held.close()
            return
        self._give_up(held, gives_up)
        if gives_up == "fail":
            self.change(held.id, state="queued", failures=job.failures + 1)
            self.change(held.id, due_s=self.now_s + BACKOFF_S / 2, sure_s=self.now_s + BACKOFF_S)
        else:
            losses = job.losses + (job.releases >= FREE_RELEASES)
            self.change(held.id, state="queued", releases=job.releases + 1, losses=losses)
            self.change(held.id, due_s=self.now_s, sure_s=self.now_s)

    # -- time and cleaning

    @rule(seconds=st.sampled_from([1.0, 9.0, 24.0, 31.0, 45.0, 401.0, 3700.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    @rule()
    def sweep(self) -> None:
        self.store.sweeper("sweeper").sweep(1000)
        for job_id in list(self.model):
            self._ended_on_the_way(job_id, serves=False)
            self._retired(job_id)

    @rule()
    def gc(self) -> None:
        self.store.gc()
        for job_id in list(self.model):
            self._retired(job_id)

    @rule(job_id=jobs)
    def remove(self, job_id: str) -> None:
        outcome = self.store.remove(job_id).outcome
        job = self.model.get(job_id)
        if job is None:
            assert outcome == "unknown"
        elif job.active:
            assert outcome == "active"
        elif self.now_s - job.ended_s < 600:
            assert outcome == "too_young"
        else:
            assert outcome == "removed"
            self._forget(job_id)

    # -- what must hold

    @invariant()
    def the_queue_says_what_the_model_says(self) -> None:
        rows = {row.id: row for row in listing.jobs(self.store.context, since=0.0, limit=10_000, fetch=map)}
        assert set(rows) == set(self.model)
        for job_id, job in self.model.items():
            found = self.store.status(job_id)
            assert found.state == rows[job_id].state == job.state, (job_id, found.state, job)
            record = found.result or found.lease
            if record is not None and job.state != "cancelled":
                counters = (record.attempt, record.losses, record.releases)
                assert counters == (job.attempt, job.losses, job.releases), job
            if found.lease is not None:
                assert found.lease.failures == job.failures

    @invariant()
    def what_has_ended_leaves_nothing(self) -> None:
        active = {job_id for job_id, job in self.model.items() if job.active}
        for prefix in (keys.PENDING, keys.LEASED):
            for entry in self.machine.list(prefix).entries:
                assert any(job_id in entry.key for job_id in active), entry.key

    # -- the model's own rules

    def _claimable(self, job: Job) -> bool:
        if job.state == "queued":
            return self.now_s >= job.due_s
        return job.state == "running" and self.now_s - job.beaten_s >= TTL_S

    def _surely_claimable(self, job: Job) -> bool:
        return self._claimable(job) and (job.state == "running" or self.now_s >= job.sure_s)

    def _hopeless(self, job: Job) -> bool:
        return job.losses > MAX_LOSSES if job.state == "queued" else job.losses >= MAX_LOSSES

    def _ended_on_the_way(self, job_id: str, *, serves: bool = True) -> None:
        """A claimer that meets a job that is past its time, or lost too often, ends it. Which ones it met, the queue says."""
        job = self.model[job_id]
        if not job.active:
            return
        result = self.store.result(job_id)
        if result is None:
            if not serves and self._claimable_or_expired(job):
                assert not self._hopeless(job) and self.now_s < job.expires_s, "the sweep left it"
            return
        assert self._claimable_or_expired(job)
        if self._hopeless(job):
            assert result.state == "failed"
        else:
            assert result.state == "expired"
            assert self.now_s >= job.expires_s
            lost = job.state == "running"
            if job.attempt == 0 or result.attempt > job.attempt:
                self.change(job_id, attempt=job.attempt + 1, losses=job.losses + (lost and job.attempt > 0))
        self.end(job_id, result.state)

    def _claimable_or_expired(self, job: Job) -> bool:
        return self._claimable(job) or (job.state == "queued" and self.now_s >= job.expires_s)

    def _claimed(self, held: HeldLease) -> tuple[int, HeldLease]:
        job = self.model[held.id]
        assert self._claimable(job), f"{job} was not to be had"
        assert self.now_s < job.expires_s
        assert not self._hopeless(job)
        self.claimed += 1
        lost = job.state == "running"
        self.change(
            held.id, state="running", holder=self.claimed, beaten_s=self.now_s,
            attempt=job.attempt + 1, losses=job.losses + lost,
        )  # fmt: skip
        return self.claimed, held

    def _owns(self, number: int, held: HeldLease) -> bool:
        job = self.model.get(held.id)
        return job is not None and job.state == "running" and job.holder == number

    def _retired(self, job_id: str) -> None:
        job = self.model[job_id]
        if not job.active and self.now_s - job.ended_s >= RETENTION_S:
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        """A job goes with its idempotency key, whoever removed it: the key is free for another spec then."""
        del self.model[job_id]
        self.names = {name: held for name, held in self.names.items() if held != job_id}

    @staticmethod
    def _spec(message: str) -> dict[str, Any]:
        retry = {"max_attempts": MAX_ATTEMPTS, "backoff": {"initial": BACKOFF_S, "max": BACKOFF_S}}
        return {"kind": "echo", "input": {"message": message}, "ttl": JOB_TTL_S, "retry": retry}

    @staticmethod
    def _settle(held: HeldLease, how: Any, error: JobError | None) -> bool:
        return settle(held, ended(held.record, how, error=error, now=held.ctx.store_now()))

    @staticmethod
    def _give_up(held: HeldLease, how: str) -> None:
        if how == "fail":
            held.fail(JobError(type="engine", message="broke"))
        else:
            held.release()


TestQueue = pytest.mark.timeout(1200)(QueueMachine.TestCase)
TestQueue.settings = settings(
    max_examples=pick(60, 1500),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
