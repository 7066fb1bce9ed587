"""Cleaning: rm, gc, sweep and fsck, and a queue that goes on although foreign and corrupt objects lie in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob import artifacts, keys
from gpujob.protocol.claim import settle
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.results import ended
from gpujob.records import Artifact
from gpujob.store import JobStore
from gpujob.testing.store_setting import (
    TTL_S,
    ManualRuntime,
    StoreSetting,
    claim,
    echo,
    finish,
    nothing,
    poller,
)

RETENTION_S = 30 * 86400.0
BAD_BODIES = (b"", b"not json", b"[]", b'{"protocol": 99}', b'{"hint": true}', b"\xff\xfe", b"{" * 5000)


class CleaningContract(StoreSetting):
    """What goes, what stays, and what is passed over."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "file.txt"
        path.write_text("an artifact")
        return path

    def test_rm_keeps_its_distance_and_its_order(self, store: JobStore, clock: ManualRuntime, file: Path) -> None:
        job = store.submit(echo(idempotency_key="chapter-1"))
        assert store.remove(job.id).outcome == "active"
        held = claim(store)
        assert store.remove(job.id).outcome == "active"
        _succeed_with(held, file)
        assert store.remove(job.id).outcome == "too_young"
        clock.sleep(601)
        assert store.remove(job.id).outcome == "removed"
        assert store.bucket.list("").entries == ()
        assert store.remove(job.id).outcome == "unknown"

    @pytest.mark.parametrize("place", ["pending", "leased"])
    def test_rm_cleans_first_and_removes_in_another_pass(
        self, store: JobStore, clock: ManualRuntime, place: str
    ) -> None:
        job = store.submit(echo())
        held = claim(store)
        finish(held)
        clock.sleep(601)
        ghost = keys.leased(job.id) if place == "leased" else keys.pending("normal", job.id, "echo")
        store.bucket.create(ghost, held.record.body() if place == "leased" else job.manifest.body())
        assert store.remove(job.id).outcome == "cleaned"
        assert store.status(job.id).ended
        assert store.remove(job.id).outcome == "removed"

    def test_gc_frees_the_idempotency_key_with_its_job(self, store: JobStore, clock: ManualRuntime) -> None:
        first = store.submit(echo(idempotency_key="chapter-1"))
        finish(claim(store))
        clock.sleep(3700)
        store.gc(older_than_s=3600.0)
        again = store.submit(echo(message="edited", idempotency_key="chapter-1"))
        assert not again.already and again.id != first.id

    def test_gc_removes_old_results_and_what_belonged_to_them(
        self, store: JobStore, clock: ManualRuntime, file: Path
    ) -> None:
        store.submit(echo(idempotency_key="chapter-1"))
        _succeed_with(claim(store), file)
        clock.sleep(RETENTION_S - 86400)
        young = store.submit(echo())
        _succeed_with(claim(store), file)
        clock.sleep(86400 + 60)
        assert store.gc(dry_run=True).objects == {"results": 1}
        assert store.gc().objects["results"] == 1
        clock.sleep(60)
        store.gc()
        assert [row.id for row in store.jobs()] == [young.id]
        rest = [entry.key for entry in store.bucket.list("").entries]
        assert len(rest) == 2, rest
        assert all(young.id in key for key in rest)

    def test_gc_removes_the_files_of_attempts_that_lost(
        self, store: JobStore, clock: ManualRuntime, file: Path
    ) -> None:
        store.submit(echo())
        lost = claim(store, "lost")
        artifacts.upload(store.bucket, lost.prefix, "a.txt", file, media_type="text/plain")
        clock.sleep(TTL_S + 1)
        store.gc()
        assert len(store.bucket.list(keys.ARTIFACTS).entries) == 1, "the job has not ended: nobody knows"
        result_files = _succeed_with(claim(store, "heir"), file)
        store.gc()
        assert [entry.key for entry in store.bucket.list(keys.ARTIFACTS).entries] == result_files

    def test_a_sweep_ends_what_no_worker_serves(self, store: JobStore, clock: ManualRuntime) -> None:
        waiting, running = store.submit(echo(ttl=60)), store.submit(echo(ttl=60))
        held = poller(store).next()
        assert held is not None
        clock.sleep(61)
        assert store.sweeper("sweeper").sweep(100) >= 2
        assert {store.status(job.id).state for job in (waiting, running)} == {"expired"}
        assert store.bucket.list(keys.PENDING).entries == store.bucket.list(keys.LEASED).entries == ()

    def test_a_sweep_leaves_alone_what_is_in_time(self, store: JobStore, clock: ManualRuntime) -> None:
        waiting, _ = store.submit(echo()), store.submit(echo())
        held = claim(store)
        clock.sleep(5)
        before = [entry.key for entry in store.bucket.list("").entries]
        assert store.sweeper("sweeper").sweep(100) == 0
        assert [entry.key for entry in store.bucket.list("").entries] == before
        assert held.trusted()
        assert store.status(waiting.id)

    def test_a_sweep_applies_retention(self, store: JobStore, clock: ManualRuntime) -> None:
        store.cancel(store.submit(echo()).id)
        clock.sleep(RETENTION_S + 60)
        sweeper = store.sweeper("sweeper")
        sweeper.sweep(100)
        assert store.jobs() == []

    def test_foreign_and_corrupt_objects_are_passed_over(self, store: JobStore, clock: ManualRuntime) -> None:
        for key, body in _rubbish(store):
            store.bucket.create(key, body)
        rubbish = {entry.key for entry in store.bucket.list("").entries}
        good = [store.submit(echo(str(number))) for number in range(3)]
        finder = poller(store)
        found: list[str] = []
        while len(found) < 3:
            held = finder.next()
            if held is None:
                assert clock.elapsed() < 300, "the good jobs are hidden"
                clock.sleep(max(1.0, finder.wait_s()))
                continue
            finish(held)
            found.append(held.id)
        assert sorted(found) == sorted(job.id for job in good)
        store.sweeper("sweeper").sweep(1000)
        store.gc()
        assert {job.id for job in good} <= {row.id for row in store.jobs()}
        assert rubbish <= {entry.key for entry in store.bucket.list("").entries}, "nothing foreign is moved or deleted"

    def test_fsck_names_what_is_wrong_and_ends_such_jobs(self, store: JobStore) -> None:
        job = store.submit(echo())
        good = store.submit(echo())
        held = claim(store)
        broken = good.id if held.id == job.id else job.id
        key = keys.pending("normal", broken, "echo")
        store.bucket.delete(key)
        store.bucket.create(key, b"not json")
        store.bucket.create("pending/5/foreign.txt", b"")
        findings = {finding.key: finding for finding in store.fsck()}
        assert set(findings) == {key, "pending/5/foreign.txt"}
        assert findings[key].job_id == broken
        assert not any(finding.repaired for finding in findings.values())
        store.fsck(repair=True)
        result = store.wait(broken)
        assert (result.state, result.error and result.error.type) == ("failed", "storage")
        assert [finding.key for finding in store.fsck()] == ["pending/5/foreign.txt"]
        assert finish(held)
        nothing(store)

    def test_fsck_frees_a_damaged_idempotency_key_only_when_no_job_is_called_by_it(
        self, store: JobStore, clock: ManualRuntime
    ) -> None:
        called = store.submit(echo(idempotency_key="chapter-1"))
        store.bucket.delete(keys.unique("chapter-1"))
        damaged = [keys.unique("chapter-1"), keys.unique("chapter-2"), "unique/notes.txt"]
        for key in damaged:
            store.bucket.create(key, b"not json")
        store.fsck(repair=True)
        assert [entry.key for entry in store.bucket.list(keys.UNIQUE).entries] == damaged, "too young"
        clock.sleep(86400 + 60)
        assert {one.key for one in store.fsck() if one.mendable} == set(damaged[:2])
        found = {one.key: one for one in store.fsck(repair=True)}
        assert not found[damaged[0]].repaired
        assert f"it stands for job {called.id}" in found[damaged[0]].problem
        assert found[damaged[1]].repaired
        assert [entry.key for entry in store.bucket.list(keys.UNIQUE).entries] == [damaged[0], damaged[2]]
        assert not store.submit(echo(idempotency_key="chapter-2")).already

    def test_foreign_keys_keep_nothing_from_being_cleaned(
        self, store: JobStore, clock: ManualRuntime, tmp_path: Path
    ) -> None:
        """What lay under a key that is no job's was taken for a job that cannot be read, for ever."""
        for prefix in ("pending/5/", keys.LEASED, keys.DONE):
            store.bucket.create(f"{prefix}notes.txt", b"somebody else's")
        store.bucket.create(keys.unique("chapter-1"), b"not json")
        (tmp_path / "input").write_bytes(b"an input of no job")
        store.bucket.upload(keys.input_file("5" * 64), tmp_path / "input")
        clock.sleep(RETENTION_S + 60)
        assert store.gc().objects["inputs"] == 1
        assert [one.key for one in store.fsck(repair=True) if one.repaired] == [keys.unique("chapter-1")]

    def test_fsck_frees_no_idempotency_key_while_a_job_cannot_be_read(
        self, store: JobStore, clock: ManualRuntime
    ) -> None:
        store.bucket.create(keys.unique("chapter-1"), b"not json")
        store.bucket.create(keys.done(store.new_id()), b"not json")
        clock.sleep(86400 + 60)
        found = {one.key: one for one in store.fsck(repair=True)}
        assert not found[keys.unique("chapter-1")].repaired
        assert "whose it is cannot be known: done/" in found[keys.unique("chapter-1")].problem


def _rubbish(store: JobStore) -> list[tuple[str, bytes]]:
    """Wrong bodies under right keys, and foreign keys, in every place."""
    rows = []
    for number, body in enumerate(BAD_BODIES):
        rows += [
            (keys.pending("high", store.new_id(), "echo"), body),
            (keys.leased(store.new_id()), body),
            (keys.done(store.new_id()), body),
            (keys.unique(f"rubbish-{number}"), body),
            (keys.worker(f"rubbish-{number}"), body),
            (f"cache/{number}.json", body),
        ]
    for prefix in (keys.PENDING, "pending/1/", keys.LEASED, keys.DONE, keys.UNIQUE, keys.ARTIFACTS, keys.WORKERS, ""):
        rows.append((f"{prefix}notes.txt", b"somebody else's"))
    return rows


def _succeed_with(held: HeldLease, file: Path) -> list[str]:
    """Finishes with one artifact; its key."""
    artifact: Artifact = artifacts.upload(held.ctx.bucket, held.prefix, "a.txt", file, media_type="text/plain")
    assert settle(held, ended(held.record, "succeeded", now=held.ctx.store_now(), artifacts=(artifact,)))
    return [artifact.key]
