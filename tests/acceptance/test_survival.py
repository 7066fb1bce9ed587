"""A worker dies at step 7 of 12 with the real model: another finishes, and speaks what was missing and no more."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gpujob import JobStore, QueueConfig, keys, queue
from gpujob.buckets.folder import FolderBucket
from gpujob.clock import SYSTEM
from gpujob.models import is_installed
from tests.acceptance.processes import WorkerProcess
from tests.sizing import only_at_full_size, require_or_skip

STEPS = 12
DIES_AFTER = 6
PATIENCE_S = 200.0

pytestmark = pytest.mark.timeout(600)


def test_another_worker_speaks_what_the_dead_one_had_not(tmp_path: Path) -> None:
    only_at_full_size("a worker killed at step 7 of 12 with the real model")
    require_or_skip("kokoro", "make models", there=is_installed("kokoro"))
    bucket = FolderBucket(tmp_path / "store")
    config = QueueConfig(created_at=1.0, ttl_s=12.0, beat_s=1.0)
    store = JobStore(bucket, config=config)
    queue.save(store.context, config)
    steps = [{"id": f"{number:02}", "narration": f"Number {number}."} for number in range(1, STEPS + 1)]
    job = store.submit({"kind": "tts.narrate", "input": {"steps": steps}})
    url, env = (tmp_path / "store").as_uri(), {"HOME": os.environ["HOME"]}
    with WorkerProcess(url, tmp_path / "first", "--kinds", "tts.narrate", "--id", "first", env=env) as first:
        _wait_for_files(store, job.id, DIES_AFTER)
        first.signal(signal.SIGKILL)
        first.process.wait()
    with WorkerProcess(url, tmp_path / "second", "--kinds", "tts.narrate", "--id", "second", env=env) as second:
        result = store.wait(job.id, timeout_s=PATIENCE_S)
        second.signal(signal.SIGTERM)
        assert second.end() == 0
    assert result.state == "succeeded", result.error
    assert (result.attempt, result.losses) == (2, 1)
    assert str(result.worker["id"]).startswith("second-")
    spoken = [step["id"] for step in result.output["steps"] if not step["cached"]]
    assert 1 <= len(spoken) <= STEPS - DIES_AFTER, spoken
    assert spoken == [step["id"] for step in steps[STEPS - len(spoken) :]]
    assert len([one for one in result.artifacts if one.name.startswith("audio/step-")]) == STEPS


def _wait_for_files(store: JobStore, job_id: str, count: int) -> None:
    """Returns when that many steps of the first attempt are in the bucket: only the bucket tells."""
    until_s = SYSTEM.elapsed() + PATIENCE_S
    while True:
        found = store.bucket.list(keys.job_artifacts(job_id)).entries
        if sum("/audio/step-" in entry.key for entry in found) >= count:
            return
        assert SYSTEM.elapsed() < until_s, f"only {len(found)} files"
        SYSTEM.sleep(0.05)
