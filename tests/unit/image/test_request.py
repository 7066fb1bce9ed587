"""What is asked, what a model makes of it, and which images are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpujob.errors import JobFailed
from gpujob_worker.executor import Engine
from gpujob_worker.image.devices import precision
from gpujob_worker.image.request import Request, choose_scheduler, image_key, read, settle

from .fakes import DEFAULTS, image_input

ENGINE = Engine("diffusers", "0.42.1", "owner/model", "abc", "cuda")
REQUEST = Request("a lighthouse", seed=7)


def key(request: Request = REQUEST, scheduler: str = "PNDMScheduler", seed: int = 7, **facts: Any) -> dict[str, Any]:
    return image_key(settle(request, DEFAULTS, scheduler), seed, ENGINE, facts)


def test_a_seed_is_kept_or_drawn_once_for_a_job() -> None:
    assert read(image_input(seed=0), "job-1").seed == 0
    drawn = read(image_input(), "job-1").seed
    assert drawn == read(image_input(), "job-1").seed  # a second attempt paints on where the first stopped
    assert drawn != read(image_input(), "job-2").seed
    assert 0 <= drawn < 2**32


def test_what_the_model_does_not_take_is_told() -> None:
    defaults = {name: value for name, value in DEFAULTS.items() if name != "negative_prompt"}
    settled = settle(replace(REQUEST, negative_prompt="fog", guidance_scale=2.0), defaults, "X")
    assert settled.arguments == {"prompt": "a lighthouse", "guidance_scale": 2.0, "width": 64, "height": 64}
    assert settled.warnings == ("negative_prompt has no effect: this model does not take it",)
    assert (settled.used("negative_prompt"), settled.used("guidance_scale"), settled.steps) == (None, 2.0, 4)


@pytest.mark.parametrize(
    ("asked", "own", "expected"),
    [
        ((None, None), (512, 512), (512, 512)),
        ((768, None), (512, 512), (768, 512)),
        ((None, 768), (None, None), (768, 768)),
        ((None, None), (None, None), (None, None)),
    ],
)
def test_a_size_has_two_sides(asked: tuple[Any, Any], own: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    request = replace(REQUEST, width=asked[0], height=asked[1])
    settled = settle(request, DEFAULTS | {"width": own[0], "height": own[1]}, "X")
    assert (settled.arguments.get("width"), settled.arguments.get("height")) == expected


def test_a_scheduler_is_one_that_suits_the_model() -> None:
    suitable = ["DDIMScheduler", "EulerDiscreteScheduler"]
    assert choose_scheduler(None, "PNDMScheduler", suitable) == "PNDMScheduler"
    assert choose_scheduler("PNDMScheduler", "PNDMScheduler", suitable) == "PNDMScheduler"
    assert choose_scheduler("DDIMScheduler", "PNDMScheduler", suitable) == "DDIMScheduler"
    with pytest.raises(JobFailed, match='did you mean "EulerDiscreteScheduler"') as failure:
        choose_scheduler("EulerScheduler", "PNDMScheduler", suitable)
    assert (failure.value.type, failure.value.retryable) == ("invalid_input", False)
    assert "DDIMScheduler" in (failure.value.hint or "")


@pytest.mark.parametrize(
    "other",
    [
        key(replace(REQUEST, prompt="a lighthouse at night")),
        key(replace(REQUEST, negative_prompt="fog")),
        key(replace(REQUEST, width=72)),
        key(replace(REQUEST, height=72)),
        key(replace(REQUEST, guidance_scale=2.0)),
        key(replace(REQUEST, num_inference_steps=5)),
        key(scheduler="DDIMScheduler"),
        key(seed=8),
        key(torch="2.9"),
        image_key(settle(REQUEST, DEFAULTS, "PNDMScheduler"), 7, replace(ENGINE, revision="def"), {}),
        image_key(settle(REQUEST, DEFAULTS, "PNDMScheduler"), 7, replace(ENGINE, model="owner/other"), {}),
        image_key(settle(REQUEST, DEFAULTS, "PNDMScheduler"), 7, replace(ENGINE, version="0.43"), {}),
        image_key(settle(REQUEST, DEFAULTS, "PNDMScheduler"), 7, replace(ENGINE, device="cpu"), {}),
    ],
)
def test_a_key_says_what_the_pixels_depend_on(other: dict[str, Any]) -> None:
    assert other != key()


def test_a_key_says_nothing_else() -> None:
    assert key(replace(REQUEST, n=4, output_format="webp", seed=5)) == key()
    assert key(replace(REQUEST, width=64, height=64)) == key()  # the model's own size, given or left out


@pytest.mark.parametrize(
    ("device", "compute", "wants", "expected"),
    [
        ("cpu", (0, 0), True, "float32"),
        ("cuda", (7, 5), True, "float16"),  # a T4 says that it can, and emulates it
        ("cuda", (8, 0), True, "bfloat16"),
        ("cuda", (9, 0), False, "float16"),
    ],
)
def test_the_precision_suits_the_device(device: str, compute: tuple[int, int], wants: bool, expected: str) -> None:
    assert precision(device, compute, wants_bfloat16=wants) == expected
