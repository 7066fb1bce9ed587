"""Decisions without a bucket: a record and a moment in, a verdict out."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob.chance import Random
from gpujob.decisions import (
    FREE_RELEASES,
    MAX_HISTORY,
    MAX_LOSSES,
    backoff_s,
    condemned,
    failed_once,
    first_lease,
    judge,
    look_again_at,
    margin_s,
    may_retry,
    released,
    taken,
    worker_lost,
)
from gpujob.records import JobError, Lease, Manifest, RetryPolicy

BROKEN = JobError(type="engine", message="broke")


def lease(**changes: Any) -> Lease:
    manifest = Manifest(
        id="01jxt21q00drqz6jkd1qpcgbea",
        kind="echo",
        spec={},
        spec_sha256="0" * 64,
        created_at=0.0,
        nonce="n",
        ttl_s=1000,
    )
    first = first_lease(manifest, worker="w", nonce="a" * 32, ttl_s=30, beat_s=10, first_seen=100.0, now=110.0)
    return first.model_copy(update=changes)


def test_a_first_lease_starts_the_counters_and_keeps_the_deadline() -> None:
    first = lease()
    assert (first.epoch, first.attempt, first.failures, first.losses, first.releases) == (1, 1, 0, 0, 0)
    assert first.expires_at == 1100.0


@pytest.mark.parametrize(("ttl_s", "margin"), [(3, 1), (6, 1), (30, 5), (300, 5)])
def test_the_margin_is_a_sixth_within_one_to_five_seconds(ttl_s: float, margin: float) -> None:
    assert margin_s(ttl_s) == margin


@pytest.mark.parametrize(
    ("changes", "age_s", "verdict"),
    [
        ({}, 29.9, "fresh"),
        ({}, 30.0, "take"),
        ({"losses": MAX_LOSSES}, 29.9, "fresh"),
        ({"losses": MAX_LOSSES - 1}, 30.0, "take"),
        ({"losses": MAX_LOSSES}, 30.0, "give_up"),
        ({"state": "wait", "not_before": 205.0}, 4.9, "not_due"),
        ({"state": "wait", "not_before": 205.0}, 5.0, "take"),
        ({"state": "wait", "not_before": 205.0, "losses": MAX_LOSSES}, 5.0, "take"),
        ({"state": "wait", "not_before": 205.0, "losses": MAX_LOSSES + 1}, 5.0, "give_up"),
        ({"state": "wait", "not_before": 9999.0, "expires_at": 210.0}, 10.0, "take"),
    ],
)
def test_what_another_worker_may_do(changes: dict[str, Any], age_s: float, verdict: str) -> None:
    assert judge(lease(**changes), 200.0, 200.0 + age_s) == verdict


@pytest.mark.parametrize(
    "changes", [{}, {"state": "wait", "not_before": 205.0}, {"state": "wait", "not_before": 5000.0}]
)
def test_another_look_finds_something_to_do_and_not_a_moment_sooner(changes: dict[str, Any]) -> None:
    moment = look_again_at(lease(**changes), 200.0)
    assert judge(lease(**changes), 200.0, moment) == "take"
    assert judge(lease(**changes), 200.0, moment - 0.01) in ("fresh", "not_due")


def test_a_take_over_counts_as_a_loss_and_a_due_wait_does_not() -> None:
    after: dict[str, Any] = {"worker": "v", "nonce": "b" * 32, "ttl_s": 3.0, "beat_s": 1.0, "now": 200.0}
    over = taken(lease(beat=7, error=BROKEN), **after)
    up = taken(lease(state="wait", not_before=150.0), **after)
    assert (over.losses, up.losses) == (1, 0)
    for new in (over, up):
        assert (new.epoch, new.attempt, new.state, new.worker) == (2, 2, "run", "v")
        assert (new.beat, new.not_before, new.ttl_s, new.expires_at) == (0, 0.0, 3.0, 1100.0)
    assert over.error == BROKEN
    assert [past.ended for past in over.history] == ["lost"]
    assert up.history == ()


def test_whoever_ends_a_hopeless_job_starts_no_run() -> None:
    end = condemned(lease(losses=5, attempt=6), worker="v", nonce="b" * 32, now=200.0)
    assert (end.epoch, end.attempt, end.losses) == (2, 6, 5)
    assert worker_lost(lease(losses=5)).message.startswith("6 workers vanished")


def test_a_failure_is_tried_again_until_the_attempts_are_used_up() -> None:
    assert may_retry(lease(failures=1), BROKEN)
    assert not may_retry(lease(failures=2), BROKEN)
    assert not may_retry(lease(), BROKEN.model_copy(update={"retryable": False}))
    waiting = failed_once(lease(), BROKEN, 200.0, Random(1))
    assert (waiting.state, waiting.failures, waiting.attempt, waiting.epoch) == ("wait", 1, 1, 1)
    assert 202.5 <= waiting.not_before <= 205.0
    assert waiting.nonce == lease().nonce, "so that its writer recognises it"


def test_the_first_releases_are_free() -> None:
    assert released(lease(releases=FREE_RELEASES - 1), 200.0).losses == 0
    last = released(lease(releases=FREE_RELEASES), 200.0)
    assert (last.losses, last.releases, last.not_before, last.state) == (1, FREE_RELEASES + 1, 200.0, "wait")


def test_the_wait_doubles_up_to_its_bound() -> None:
    retry = RetryPolicy(initial_s=5, max_s=60)
    waits = [[backoff_s(retry, failures, Random(seed)) for seed in range(50)] for failures in range(6)]
    for failures, full in enumerate((5, 10, 20, 40, 60, 60)):
        assert full / 2 <= min(waits[failures]) < max(waits[failures]) <= full
    assert backoff_s(RetryPolicy(initial_s=86400, max_s=86400), 10_000, Random(1)) <= 86400


def test_the_history_keeps_the_last_ones() -> None:
    now = lease()
    for number in range(MAX_HISTORY + 5):
        now = released(now.model_copy(update={"attempt": number + 1}), 200.0)
    assert [past.attempt for past in now.history] == list(range(6, MAX_HISTORY + 6))
