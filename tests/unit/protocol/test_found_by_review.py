"""What a review of the code found, each as the shortest story that shows it."""

from __future__ import annotations

from pathlib import Path

from gpujob import keys
from gpujob.decisions import beat_silence_s
from gpujob.errors import Unavailable
from gpujob.testing.store_setting import claim, echo
from tests.unit.protocol.scripted import scene

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
