"""What a review of the code found, each as the shortest story that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob import keys
from gpujob.decisions import beat_silence_s, margin_s
from gpujob.errors import Conflict, Unavailable
from gpujob.protocol.poll import LONGEST_CROWD_TTLS
from gpujob.protocol.presence import PresenceKeeper
from gpujob.records import Hint, Presence
from gpujob.testing.store_setting import claim, echo, poller
from tests.unit.protocol.scripted import Scene, scene

NOBODY_KNOWS = Unavailable("nobody knows")
RETENTION_S = 30 * 86400.0


def test_gc_deleted_an_input_that_a_submit_had_put_again_while_the_jobs_were_read(tmp_path: Path) -> None:
    queue = scene(retention_s=RETENTION_S)
    (tmp_path / "in.txt").write_text("an input")
    spec = echo(files=[{"name": "in.txt"}])
    (file,) = queue.store.submit(spec, base_dir=tmp_path).manifest.files
    queue.store.cancel(next(iter(queue.store.jobs())).id)
    queue.clock.sleep(RETENTION_S + 60)
    queue.order("list", keys.LEASED, before=lambda: queue.store.submit(spec, base_dir=tmp_path))
    queue.store.gc()
    assert queue.script.left() == []
    assert claim(queue.store).manifest.files == (file,)
    assert queue.store.bucket.head(keys.input_file(file.sha256)) is not None


def test_gc_deleted_an_input_that_a_submit_still_trusted(tmp_path: Path) -> None:
    queue = scene(retention_s=RETENTION_S)
    (tmp_path / "in.txt").write_text("an input")
    queue.store.bucket.upload(keys.input_file("5" * 64), tmp_path / "in.txt")
    queue.clock.sleep(RETENTION_S / 2)
    assert "inputs" not in queue.store.gc(older_than_s=3600.0).objects
    queue.clock.sleep(86400.0 + 60)
    assert queue.store.gc(older_than_s=3600.0, dry_run=True).objects["inputs"] == 1
    assert queue.store.gc(older_than_s=3600.0).objects["inputs"] == 1
    assert queue.store.bucket.list(keys.INPUTS).entries == ()


def test_one_beat_without_an_answer_fenced_the_job() -> None:
    queue = scene()
    queue.store.submit(echo())
    held = claim(queue.store)
    silence_s = beat_silence_s(held.record.ttl_s, held.record.beat_s)
    queue.clock.sleep(held.record.beat_s)
    queue.order("replace", keys.LEASED, NOBODY_KNOWS, before=lambda: queue.clock.sleep(silence_s))
    queue.order("get", keys.LEASED, NOBODY_KNOWS, before=lambda: queue.clock.sleep(silence_s))
    held.beat()
    queue.clock.sleep(held.record.beat_s / 4)
    held.beat()
    assert queue.script.left() == []
    queue.clock.sleep(held.record.beat_s)
    assert held.trusted()


@pytest.mark.parametrize("orphans", [1, 20])
def test_hints_without_a_job_kept_a_worker_from_what_stands_behind_a_thousand_others(orphans: int) -> None:
    queue = scene()
    for _ in range(orphans):
        put_orphan(queue)
    for _ in range(1500):
        queue.machine.create(keys.pending("normal", queue.store.new_id(), "chat.ollama"), b"not for this worker")
    queue.clock.sleep(1)
    job = queue.store.submit(echo())
    finder = poller(queue.store)
    while (held := finder.next()) is None:
        assert queue.clock.elapsed() < 60, "the job starves"
        queue.clock.sleep(max(0.01, finder.wait_s()))
    assert held.id == job.id


def test_a_store_that_takes_no_writes_was_asked_again_without_a_pause() -> None:
    """As a full MinIO does: twelve claims that came to nothing made the page be read anew, and all were tried again."""
    queue = scene()
    for _ in range(20):
        queue.store.submit(echo())
    queue.order("create", keys.LEASED, NOBODY_KNOWS, times=1000)
    assert poller(queue.store).next() is None
    (refusals,) = queue.script.left()
    assert refusals.times == 1000 - 20


def test_a_machine_that_slept_put_a_hint_of_a_job_that_may_be_gone() -> None:
    queue = scene()
    job = queue.store.submit(echo())
    held = claim(queue.store)
    queue.order("replace", keys.LEASED, before=lambda: queue.clock.sleep(3600))
    held.release()
    assert queue.store.bucket.list(keys.PENDING).entries == ()
    queue.clock.sleep(queue.store.config.ttl_s)
    assert claim(queue.store).id == job.id, "the lease says enough"


def test_fsck_ends_a_hint_without_a_job_once_it_is_old() -> None:
    queue = scene()
    key, job_id = put_orphan(queue)
    waiting = queue.store.submit(echo())
    claim(queue.store).release()
    assert queue.store.fsck() == []
    queue.clock.sleep(601)
    (found,) = queue.store.fsck()
    assert (found.key, found.job_id, found.mendable) == (key, job_id, True)
    (found,) = queue.store.fsck(repair=True)
    assert found.repaired and queue.store.fsck() == []
    result = queue.store.wait(job_id)
    assert result.error is not None and result.error.message.startswith("nothing is left of this job but a hint")
    with pytest.raises(Conflict, match="its record could not be read"):  # and not: it has not ended
        queue.store.retry(job_id)
    assert claim(queue.store).id == waiting.id


def put_orphan(queue: Scene) -> tuple[str, str]:
    """A hint as a machine puts it that slept while its job was cancelled and removed."""
    job_id, now = queue.store.new_id(), queue.store.runtime.now()
    hint = Hint(id=job_id, kind="echo", priority="high", not_before=now, expires_at=now + 86400, nonce="n" * 16)
    key = keys.pending("high", job_id, "echo")
    queue.machine.create(key, hint.body())
    return key, job_id


def test_after_a_mass_death_the_take_over_took_most_of_an_hour() -> None:
    queue = scene()
    for number in range(200):
        queue.store.submit(echo(timeout=86400))
        claim(queue.store, f"busy-{number}")
    idle = [poller(queue.store, f"idle-{number}") for number in range(8)]
    assert [finder.next() for finder in idle] == [None] * 8
    ttl_s = queue.store.config.ttl_s
    longest_s = ttl_s + margin_s(ttl_s) + LONGEST_CROWD_TTLS * ttl_s
    queue.clock.sleep(longest_s + 1)
    assert all(finder.next() for finder in idle)


def test_a_word_to_a_worker_was_sent_without_pause_or_end_while_the_store_took_no_writes() -> None:
    """As a full MinIO does: what it has can be read."""
    queue = scene()
    here = Presence(id="w", session="s" * 16, started_at=1.0)
    PresenceKeeper(queue.store.context, here).update()
    queue.order("replace", keys.WORKERS, NOBODY_KNOWS, times=1000)
    with pytest.raises(Unavailable, match="did not take the word for worker w"):
        queue.store.command_worker("w", "drain")
    (refusals,) = queue.script.left()
    assert queue.clock.elapsed() < queue.store.patience_s + 10 and refusals.times > 980
    queue.script.left().clear()
    assert queue.store.command_worker("w", "drain").control == "drain"
