"""What a picture's file says of its origin, read back as other programs read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpujob_worker.image import files
from gpujob_worker.image.origin import Origin

from .fakes import need_pillow
from .reading import origin_of, parse_parameters

MADE: dict[str, Any] = {
    "prompt": "a lighthouse, dawn:\nölfarben",
    "negative_prompt": "fog, people",
    "num_inference_steps": 20,
    "scheduler": "EulerAncestralDiscreteScheduler",
    "guidance_scale": 7.0,
    "seed": 8,
    "width": 64,
    "height": 72,
}
ENGINE = {"name": "diffusers", "version": "0.42.1", "model": "owner/model", "revision": "abc"}


def origin(**more: Any) -> Origin:
    return Origin({**MADE, **more}, ENGINE, "gpujob 1.0")


def picture() -> Any:
    need_pillow()
    from PIL import Image

    return Image.linear_gradient("L").convert("RGB").resize((64, 72))


def test_parameters_are_what_such_readers_parse() -> None:
    assert parse_parameters(origin().parameters()) == {
        "Prompt": "a lighthouse, dawn:\nölfarben",
        "Negative prompt": "fog, people",
        "Steps": "20",
        "Sampler": "Euler a",
        "CFG scale": "7",
        "Seed": "8",
        "Size": "64x72",
        "Model": "owner/model",
        "Version": "gpujob 1.0",
    }


def test_a_value_that_would_be_misread_is_quoted() -> None:
    text = Origin(MADE, {"model": 'a, "b": c'}, "gpujob 1.0").parameters()
    assert parse_parameters(text)["Model"] == 'a, "b": c'


def test_what_a_model_does_not_have_is_left_out() -> None:
    text = origin(negative_prompt=None, guidance_scale=None, scheduler="NewScheduler").parameters()
    assert "Negative" not in text and "CFG" not in text and "Sampler: NewScheduler" in text


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_every_format_carries_its_origin(tmp_path: Path, form: str) -> None:
    assert files.write(picture(), tmp_path / "a", form, origin()) is None
    files.write(picture(), tmp_path / "b", form, origin())
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    text, facts = origin_of(data)
    assert text == origin().parameters()
    assert facts == {"kind": "image.generate", "input": MADE, "engine": ENGINE, "software": "gpujob 1.0"}


def test_a_png_keeps_every_pixel_and_another_format_nearly(tmp_path: Path) -> None:
    from_pil = picture()
    from PIL import Image, ImageChops

    for form, most in (("png", 0), ("jpeg", 12), ("webp", 12)):
        files.write(from_pil, tmp_path / form, form, origin())
        with Image.open(tmp_path / form) as again:
            apart = ImageChops.difference(from_pil, again.convert("RGB")).getextrema()
        assert max(high for _, high in apart) <= most, form


def test_a_prompt_too_long_for_a_jpeg_is_told_and_a_png_keeps_it(tmp_path: Path) -> None:
    long = origin(prompt="lighthouse " * 4_000)
    warning = files.write(picture(), tmp_path / "a.jpg", "jpeg", long)
    assert warning is not None and "too long" in warning
    assert files.write(picture(), tmp_path / "a.png", "png", long) is None
    assert origin_of((tmp_path / "a.png").read_bytes())[0] == long.parameters()
    assert files.write(picture(), tmp_path / "a.webp", "webp", long) is None
    assert origin_of((tmp_path / "a.webp").read_bytes())[0] == long.parameters()


def test_names_and_media_types() -> None:
    assert [files.name_of(3, form) for form in files.MEDIA_TYPES] == [
        "images/image-3.png", "images/image-3.jpg", "images/image-3.webp",
    ]  # fmt: skip
