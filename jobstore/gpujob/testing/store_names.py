"""Names, lists and presence: idempotency keys, prefixes of ids, what `ls` and `worker ls` show."""

from __future__ import annotations

import pytest

from gpujob import keys
from gpujob.errors import Conflict, NotFound
from gpujob.protocol.presence import PresenceKeeper
from gpujob.records import Presence
from gpujob.store import JobStore
from gpujob.testing.store_setting import ManualRuntime, StoreSetting, claim, echo, finish


class NameContract(StoreSetting):
    """How jobs and workers are found again."""

    def test_an_idempotency_key_is_one_job(self, store: JobStore) -> None:
        first = store.submit(echo("once", idempotency_key="chapter-1"))
        second = store.submit(echo("once", idempotency_key="chapter-1"))
        assert (first.already, second.already) == (False, True)
        assert first.id == second.id
        finish(claim(store))
        assert store.submit(echo("once", idempotency_key="chapter-1")).id == first.id
        assert store.status(first.id).state == "succeeded"

    def test_a_key_that_stands_for_another_spec_is_a_conflict(self, store: JobStore) -> None:
        first = store.submit(echo("one", idempotency_key="chapter-1"))
        with pytest.raises(Conflict, match=first.id):
            store.submit(echo("two", idempotency_key="chapter-1"))
        assert len(store.jobs()) == 1

    def test_a_submitter_that_died_after_its_key_is_continued(self, store: JobStore) -> None:
        died = store.submit(echo("once", idempotency_key="chapter-1"))
        store.bucket.delete(keys.pending("normal", died.id, "echo"))
        again = store.submit(echo("once", idempotency_key="chapter-1"))
        assert again.id == died.id
        assert store.status(died.id).state == "queued"

    def test_a_job_is_named_by_id_key_or_prefix(self, store: JobStore, clock: ManualRuntime) -> None:
        job = store.submit(echo(idempotency_key="chapter-1"))
        clock.sleep(3600)
        other = store.submit(echo())
        assert [store.resolve(name) for name in (job.id, "chapter-1", job.id[:10])] == [job.id] * 3
        common = next(job.id[:length] for length in range(26, 0, -1) if other.id.startswith(job.id[:length]))
        with pytest.raises(Conflict):
            store.resolve(common)
        for unknown in ("chapter-2", "zzzz", "7zzzzzz"):
            with pytest.raises(NotFound):
                store.resolve(unknown)
        finish(claim(store))
        assert store.resolve(job.id[:10]) == job.id

    def test_jobs_lists_what_is_active_and_what_ended(self, store: JobStore, clock: ManualRuntime) -> None:
        ids = []
        for number in range(4):
            ids.append(store.submit(echo(str(number))).id)
            clock.sleep(1)
        store.cancel(ids[0])
        held = claim(store)
        rows = store.jobs()
        assert [row.id for row in rows] == ids
        states = {row.id: row.state for row in rows}
        assert states.pop(ids[0]) == "cancelled"
        assert states.pop(held.id) == "running"
        assert set(states.values()) == {"queued"}
        assert [row.id for row in store.jobs(limit=2)] == ids[-2:]

    def test_jobs_that_ended_long_ago_are_left_out(self, store: JobStore, clock: ManualRuntime) -> None:
        store.cancel(store.submit(echo()).id)
        clock.sleep(3600)
        late = store.submit(echo())
        assert [row.id for row in store.jobs(since=clock.now() - 60)] == [late.id]

    def test_a_live_worker_is_listed_and_hears_its_control_word(self, store: JobStore, clock: ManualRuntime) -> None:
        keeper = PresenceKeeper(store.context, Presence(id="w1", session="s", started_at=clock.now()))
        assert keeper.update(state="idle") == ""
        assert [found.id for found, _ in store.workers()] == ["w1"]
        store.command_worker("w1", "drain")
        assert keeper.update(state="busy") == "drain"
        clock.sleep(3600)
        assert store.workers() == []
        keeper.leave()
        with pytest.raises(NotFound):
            store.command_worker("w1", "stop")
