"""The real diffusers paints, with a tiny model of random weights: what a seed promises, and what each parameter does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from gpujob import JobStore
from gpujob.buckets.folder import FolderBucket
from gpujob.errors import JobCancelled, JobFailed
from gpujob_worker import Limits, Worker
from gpujob_worker.executors.imagine import ImagineExecutor
from gpujob_worker.image.choosing import Own
from gpujob_worker.image.painting import SAVING
from tests import tiny_diffusion
from tests.fake_job import FakeCache, FakeJob, unheard
from tests.unit.image.fakes import image_input
from tests.unit.image.reading import origin_of, parse_parameters

STEPS = 3
BASE = {"prompt": "a lighthouse at dawn", "num_inference_steps": STEPS, "seed": 7}

pytestmark = [
    pytest.mark.xdist_group("diffusers"),  # importing it costs half a CPU minute: once is enough
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny_diffusion.need_diffusers()
    return tiny_diffusion.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def executor(model: Path) -> ImagineExecutor:
    executor = ImagineExecutor(Own(str(model)))
    assert executor.readiness().ready
    assert executor.device().name in ("cpu", "cuda")
    assert executor.load({}, unheard) == ("tiny",)
    return executor


def paint(executor: ImagineExecutor, folder: Path, *, cache: FakeCache | None = None, **more: Any) -> FakeJob:
    """One attempt; what it gave back is its `outcome`."""
    job = FakeJob(folder, image_input(**{**BASE, **more}), cache=cache)
    job.outcome = executor.run(job)  # type: ignore[attr-defined]
    return job


def output_of(job: FakeJob) -> dict[str, Any]:
    return dict(job.outcome.output)  # type: ignore[attr-defined]


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return picture.size, picture.convert("RGB").tobytes()


@pytest.fixture(scope="module")
def plain(executor: ImagineExecutor, tmp_path_factory: pytest.TempPathFactory) -> FakeJob:
    """The picture of BASE, which the others are compared with."""
    return paint(executor, tmp_path_factory.mktemp("plain"))


def test_the_same_seed_gives_the_same_bytes(plain: FakeJob, model: Path, tmp_path: Path) -> None:
    """Also from another executor, which has loaded the model anew."""
    again = paint(ImagineExecutor(Own(str(model))), tmp_path)
    assert again.artifacts == plain.artifacts
    assert len(set(pixels(plain.artifacts["images/image-0.png"])[1])) > 16  # a picture, not one colour


def test_another_picture_in_between_changes_nothing(executor: ImagineExecutor, plain: FakeJob, tmp_path: Path) -> None:
    paint(executor, tmp_path / "other", scheduler="EulerAncestralDiscreteScheduler", width=72, seed=1)
    assert paint(executor, tmp_path / "again").artifacts == plain.artifacts


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a lighthouse at night"},
        {"negative_prompt": "fog"},
        {"guidance_scale": 3.0},
        {"num_inference_steps": STEPS + 1},
        {"seed": 8},
        {"scheduler": "EulerDiscreteScheduler"},
        {"scheduler": "DPMSolverMultistepScheduler"},
        {"width": 96},
        {"height": 96},
    ],
    ids=lambda change: ",".join(f"{name}={value}" for name, value in change.items()),
)
def test_each_parameter_changes_the_picture_and_is_told(
    executor: ImagineExecutor, plain: FakeJob, tmp_path: Path, change: dict[str, Any]
) -> None:
    job = paint(executor, tmp_path, **change)
    before, after = (pixels(one.artifacts["images/image-0.png"]) for one in (plain, job))
    assert after != before
    assert after[0] == (change.get("width", 64), change.get("height", 64))
    told = origin_of(job.artifacts["images/image-0.png"])[1]["input"]
    for name, value in change.items():
        assert output_of(job)[name] == value
        assert told[name] == value


def test_the_models_own_defaults_are_told(executor: ImagineExecutor, tmp_path: Path) -> None:
    job = FakeJob(tmp_path, image_input(seed=1, num_inference_steps=1))
    output = executor.run(job).output
    assert (output["width"], output["height"], output["guidance_scale"]) == (64, 64, 7.5)
    assert (output["scheduler"], output["model"], output["precision"]) == ("PNDMScheduler", "tiny", "float32")
    assert output["revision"].startswith("sha256:")


def test_a_set_counts_its_seeds_and_equals_its_images_one_by_one(
    executor: ImagineExecutor, plain: FakeJob, tmp_path: Path
) -> None:
    job = paint(executor, tmp_path / "set", n=3)
    images = output_of(job)["images"]
    assert [(image["index"], image["seed"]) for image in images] == [(0, 7), (1, 8), (2, 9)]
    assert list(job.artifacts) == [f"images/image-{index}.png" for index in range(3)]
    assert len({pixels(data) for data in job.artifacts.values()}) == 3
    assert job.artifacts["images/image-0.png"] == plain.artifacts["images/image-0.png"]
    alone = paint(executor, tmp_path / "alone", seed=9)
    assert alone.artifacts["images/image-0.png"] == job.artifacts["images/image-2.png"]


def test_progress_comes_at_each_step(executor: ImagineExecutor, tmp_path: Path) -> None:
    job = paint(executor, tmp_path, n=2, scheduler="EulerDiscreteScheduler")
    assert sorted({done for done, _, _ in job.reports}) == pytest.approx(list(range(2 * STEPS + 1)))
    assert {total for _, total, _ in job.reports} == {2 * STEPS}


def test_a_second_attempt_paints_the_missing_images_only(executor: ImagineExecutor, tmp_path: Path) -> None:
    cache = FakeCache(tmp_path)
    first = FakeJob(tmp_path, image_input(**BASE, n=3, scheduler="EulerDiscreteScheduler"), cache=cache)
    first.checks_left = 2 * (STEPS + 1) + 2  # two images, and the first step of the third
    with pytest.raises(JobCancelled):
        executor.run(first)
    assert list(first.artifacts) == ["images/image-0.png", "images/image-1.png"]
    second = FakeJob(tmp_path, first.input, attempt=2, cache=cache)
    output = executor.run(second).output
    assert [image["cached"] for image in output["images"]] == [True, True, False]
    whole = paint(executor, tmp_path / "whole", n=3, scheduler="EulerDiscreteScheduler")
    assert second.artifacts == whole.artifacts


def test_a_cancel_stops_it_in_mid_image_and_the_pipeline_goes_on_serving(
    executor: ImagineExecutor, plain: FakeJob, tmp_path: Path
) -> None:
    job = FakeJob(tmp_path / "cancelled", image_input(**{**BASE, "num_inference_steps": 500}))
    job.checks_left = 3
    with pytest.raises(JobCancelled):
        executor.run(job)
    assert job.artifacts == {} and len(job.reports) == 3
    assert paint(executor, tmp_path / "after").artifacts == plain.artifacts


@pytest.mark.parametrize(("form", "ending"), [("png", "png"), ("jpeg", "jpg"), ("webp", "webp")])
def test_the_files_say_how_to_paint_them_again(
    executor: ImagineExecutor, tmp_path: Path, form: str, ending: str
) -> None:
    job = paint(executor, tmp_path / "first", output_format=form, negative_prompt="fog, rain", n=2)
    data = job.artifacts[f"images/image-1.{ending}"]
    text, facts = origin_of(data)
    said = parse_parameters(text)
    assert (said["Prompt"], said["Negative prompt"]) == (BASE["prompt"], "fog, rain")
    assert (said["Seed"], said["Steps"], said["Size"], said["CFG scale"]) == ("8", "3", "64x64", "7.5")
    again = FakeJob(tmp_path / "again", {"n": 1, **facts["input"]})
    executor.run(again)
    assert again.artifacts[f"images/image-0.{ending}"] == data


def test_an_unknown_scheduler_is_named_with_its_neighbour(executor: ImagineExecutor, tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match='did you mean "EulerDiscreteScheduler"') as failure:
        paint(executor, tmp_path, scheduler="EulerDiscretScheduler")
    assert failure.value.type == "invalid_input"
    assert "PNDMScheduler" in (failure.value.hint or "")


def test_every_scheduler_on_offer_paints_or_names_the_library_it_lacks(
    executor: ImagineExecutor, tmp_path: Path
) -> None:
    with pytest.raises(JobFailed) as failure:
        paint(executor, tmp_path, scheduler="none")
    names = (failure.value.hint or "").partition(": ")[2].split(", ")
    assert len(names) > 10
    refused = {}
    for name in names:
        try:
            paint(executor, tmp_path / name, scheduler=name)
        except JobFailed as error:
            refused[name] = error.message
    print(refused)
    assert [name for name, message in refused.items() if "needs a library" not in message] == []
    assert len(refused) <= 3


def test_a_prompt_longer_than_the_model_reads_is_told(executor: ImagineExecutor, tmp_path: Path) -> None:
    job = paint(executor, tmp_path, prompt="lighthouse " * 20)
    assert [one for one in job.warnings if "longer than the 77 tokens" in one]


@pytest.fixture
def short_of_memory(executor: ImagineExecutor) -> Iterator[list[bool]]:
    """The pipeline's network runs out of memory unless attention is sliced; tells of each of its calls whether it was."""
    pipe = executor._painter._pipe  # type: ignore[union-attr]
    forward, calls = pipe.unet.forward, []

    def short(*args: Any, **options: Any) -> Any:
        sliced = any("Sliced" in type(one).__name__ for one in pipe.unet.attn_processors.values())
        calls.append(sliced and pipe.vae.use_tiling)
        if not calls[-1]:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return forward(*args, **options)

    with patch.object(pipe.unet, "forward", short):
        yield calls


def test_without_memory_it_paints_in_slices_and_tiles(
    executor: ImagineExecutor, plain: FakeJob, short_of_memory: list[bool], tmp_path: Path
) -> None:
    job = paint(executor, tmp_path)
    assert job.warnings == [SAVING]
    assert short_of_memory[0] is False and all(short_of_memory[1:]) and len(short_of_memory) > STEPS
    assert pixels(job.artifacts["images/image-0.png"])[0] == (64, 64)


def test_after_that_it_paints_as_before(executor: ImagineExecutor, plain: FakeJob, tmp_path: Path) -> None:
    job = paint(executor, tmp_path)
    assert job.warnings == [] and job.artifacts == plain.artifacts


def test_a_model_that_does_not_load_is_named(model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model_index.json").write_text(json.dumps({"_class_name": "NoSuchPipeline"}))
    with pytest.raises(JobFailed, match="the model broken does not load") as failure:
        ImagineExecutor(Own(str(broken))).load({}, unheard)
    assert failure.value.type == "model_not_found"


def test_pickled_weights_are_not_loaded(model: Path, tmp_path: Path) -> None:
    import shutil

    import torch

    pickled = tmp_path / "pickled"
    shutil.copytree(model, pickled)
    weights = pickled / "unet" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    torch.save({}, weights.with_suffix(".bin"))
    with pytest.raises(JobFailed, match="does not load") as failure:
        ImagineExecutor(Own(str(pickled))).load({}, unheard)
    assert failure.value.type == "model_not_found"


def test_a_model_that_may_not_be_fetched_is_refused_without_a_word_to_the_hub(
    executor: ImagineExecutor, plain: FakeJob, tmp_path: Path
) -> None:
    with pytest.raises(JobFailed, match="jobs may not make it fetch that"):
        paint(executor, tmp_path / "refused", model="owner/never-heard-of")
    assert paint(executor, tmp_path / "after").artifacts == plain.artifacts  # the warm one was left alone


def test_the_whole_way_through_the_queue(executor: ImagineExecutor, plain: FakeJob, tmp_path: Path) -> None:
    store = JobStore(FolderBucket(tmp_path / "store"))
    spec_input = {"prompt": BASE["prompt"], "steps": STEPS, "seed": 7, "n": 2, "size": "70x64"}
    job = store.submit({"kind": "image.generate", "input": spec_input})
    done = Worker(store, [executor], worker_id="painter", limits=Limits(once=True)).run()
    assert done.jobs == 1
    result = store.wait(job.id, timeout_s=10)
    assert result.state == "succeeded", result.error
    assert any("64 instead of 70" in warning for warning in result.warnings)
    assert result.engine["name"] == "diffusers" and result.engine["model"] == "tiny"
    assert [artifact.name for artifact in result.artifacts] == ["images/image-0.png", "images/image-1.png"]
    files = store.download(result, tmp_path / "out")
    assert files[0].read_bytes() == plain.artifacts["images/image-0.png"]
    assert [image["seed"] for image in result.output["images"]] == [7, 8]
