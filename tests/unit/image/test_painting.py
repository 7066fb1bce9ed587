"""A set of images with a stand-in for the pipeline: seeds, the cache, progress, cancel, and memory that runs out."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob.errors import JobCancelled, JobFailed
from gpujob_worker.image import memory
from gpujob_worker.image.painting import SAVING, paint_set
from tests.fake_job import FakeCache, FakeJob

from .fakes import FakeBrush, image_input, need_pillow
from .reading import origin_of

SOFTWARE = "gpujob 1.0"


@pytest.fixture(autouse=True)
def _pillow() -> None:
    need_pillow()


def test_image_i_has_seed_plus_i(tmp_path: Path) -> None:
    job, brush = FakeJob(tmp_path, image_input(n=3, seed=7)), FakeBrush()
    outcome = paint_set(job, brush, SOFTWARE)
    assert [seed for seed, _ in brush.painted] == [7, 8, 9]
    expected = [
        {"file": f"images/image-{i}.png", "index": i, "seed": 7 + i, "width": 64, "height": 64, "cached": False}
        for i in range(3)
    ]
    assert outcome.output["images"] == expected
    assert list(job.artifacts) == [image["file"] for image in expected]
    assert set(job.media_types.values()) == {"image/png"}
    seeds = [origin_of(data)[1]["input"]["seed"] for data in job.artifacts.values()]
    assert seeds == [7, 8, 9]


def test_the_output_says_what_was_really_used(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, image_input(seed=1, negative_prompt="fog", scheduler="EulerDiscreteScheduler"))
    output = dict(paint_set(job, FakeBrush(), SOFTWARE).output)
    del output["images"]
    assert output == {
        "prompt": "a lighthouse", "negative_prompt": "fog", "width": 64, "height": 64, "guidance_scale": 7.5,
        "num_inference_steps": 4, "scheduler": "EulerDiscreteScheduler", "output_format": "png", "seed": 1, "n": 1,
        "model": "owner/model", "revision": "abc123", "device": "cpu", "precision": "float32",
    }  # fmt: skip


def test_progress_counts_every_step(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, image_input(n=2, seed=1))
    paint_set(job, FakeBrush(), SOFTWARE)
    assert {total for _, total, _ in job.reports} == {8}
    assert sorted({done for done, _, _ in job.reports}) == list(range(9))
    assert (5, 8, "image 2/2, step 1/4") in job.reports


def test_a_second_attempt_paints_the_missing_images_only(tmp_path: Path) -> None:
    cache = FakeCache(tmp_path)
    first = FakeJob(tmp_path, image_input(n=3), cache=cache)
    first.checks_left = 9  # 5 for each image: one before it, and one after each of its 4 steps
    with pytest.raises(JobCancelled):
        paint_set(first, FakeBrush(), SOFTWARE)
    assert list(first.artifacts) == ["images/image-0.png"]
    second, brush = FakeJob(tmp_path, image_input(n=3), attempt=2, cache=cache), FakeBrush()
    output = paint_set(second, brush, SOFTWARE).output
    assert [image["cached"] for image in output["images"]] == [True, False, False]
    assert len(brush.painted) == 2
    assert second.artifacts["images/image-0.png"] == first.artifacts["images/image-0.png"]


def test_another_format_comes_out_of_the_same_cache(tmp_path: Path) -> None:
    cache = FakeCache(tmp_path)
    paint_set(FakeJob(tmp_path, image_input(seed=1), cache=cache), FakeBrush(), SOFTWARE)
    job, brush = FakeJob(tmp_path, image_input(seed=1, output_format="webp"), attempt=2, cache=cache), FakeBrush()
    paint_set(job, brush, SOFTWARE)
    assert brush.painted == [] and list(job.artifacts) == ["images/image-0.webp"]


def test_a_spoilt_entry_of_the_cache_is_painted_again(tmp_path: Path) -> None:
    cache = FakeCache(tmp_path)
    paint_set(FakeJob(tmp_path, image_input(seed=1), cache=cache), FakeBrush(), SOFTWARE)
    cache.entries = {name: (data[:-40], facts) for name, (data, facts) in cache.entries.items()}
    job, brush = FakeJob(tmp_path, image_input(seed=1), attempt=2, cache=cache), FakeBrush()
    assert paint_set(job, brush, SOFTWARE).output["images"][0]["cached"] is False
    assert brush.painted == [(1, False)]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        type("OutOfMemoryError", (RuntimeError,), {})("Allocation on device"),
    ],
)
def test_memory_that_runs_out_once_is_saved_from_then_on(tmp_path: Path, error: Exception) -> None:
    job, brush = FakeJob(tmp_path, image_input(n=3, seed=1)), FakeBrush(runs_out=(1,), error=error)
    outcome = paint_set(job, brush, SOFTWARE)
    assert brush.painted == [(1, False), (2, True), (3, True)]
    assert job.warnings == [SAVING]
    assert len(outcome.output["images"]) == 3
    assert not brush.saving  # the next job begins as if nothing had been


def test_images_painted_while_saving_memory_are_not_mistaken_for_others(tmp_path: Path) -> None:
    cache = FakeCache(tmp_path)
    paint_set(FakeJob(tmp_path, image_input(seed=1), cache=cache), FakeBrush(runs_out=(0,)), SOFTWARE)
    roomy = FakeBrush()
    paint_set(FakeJob(tmp_path, image_input(seed=1), attempt=2, cache=cache), roomy, SOFTWARE)
    assert roomy.painted == [(1, False)]


def test_memory_that_runs_out_twice_fails_with_what_may_fit(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, image_input(seed=1, width=1024, height=768))
    brush = FakeBrush(runs_out=(0, 1))
    with pytest.raises(JobFailed, match="1024x768 pixels") as failure:
        paint_set(job, brush, SOFTWARE)
    assert failure.value.type == "out_of_memory"
    assert "768x576 may fit" in (failure.value.hint or "")
    assert not brush.saving and job.artifacts == {}
    assert failure.value.__context__ is None  # nothing refers to what had been computed


def test_another_error_is_no_matter_of_memory(tmp_path: Path) -> None:
    brush = FakeBrush(runs_out=(0,), error=RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        paint_set(FakeJob(tmp_path, image_input()), brush, SOFTWARE)
    assert not memory.is_out_of_memory(ValueError("out of memory"))


def test_a_picture_that_the_model_blacked_out_is_told_also_from_the_cache(tmp_path: Path) -> None:
    cache, brush = FakeCache(tmp_path), FakeBrush()
    brush.blacked_out = True
    for attempt in (1, 2):
        job = FakeJob(tmp_path, image_input(seed=1), attempt=attempt, cache=cache)
        paint_set(job, brush, SOFTWARE)
        assert job.warnings == ["image 0: the model's own safety checker blacked it out"]
    assert len(brush.painted) == 1


def test_an_unknown_scheduler_fails_before_anything_is_painted(tmp_path: Path) -> None:
    brush = FakeBrush()
    with pytest.raises(JobFailed, match="did you mean"):
        paint_set(FakeJob(tmp_path, image_input(scheduler="EulerDiscrete")), brush, SOFTWARE)
    assert brush.painted == []


def test_the_smallest_size_has_no_smaller_one() -> None:
    assert "may fit" not in (memory.does_not_fit((64, 64), "cuda").hint or "")
    assert "GPU memory" in memory.does_not_fit(None, "cuda").message
