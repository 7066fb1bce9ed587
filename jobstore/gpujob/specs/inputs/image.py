"""The input of `image.generate`: a prompt and how to paint it.

Invariant: width and height are multiples of 8 from 64 to 2048; one that had to be changed is told in a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from gpujob.specs.fields import Input, Text
from gpujob.specs.nearest import Refused
from gpujob.specs.problems import Finding, Path

_OLD_MODEL = "runwayml/stable-diffusion-v1-5"
_MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"
_HUB_NAME = r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?"
_SIDE = r"\s*(\d{1,6})\s*[xX\u00d7]\s*(\d{1,6})\s*"


def clamp_side(pixels: int) -> int:
    """The nearest side a model can paint that is not longer: a multiple of 8, from 64 to 2048."""
    return min(max(pixels // 8 * 8, 64), 2048)


def _model(name: str) -> str:
    if not re.fullmatch(_HUB_NAME, name):
        raise Refused('characters: a model of the hub, such as "owner/name"')
    return _MODEL if name == _OLD_MODEL else name


Side = Annotated[int, Field(ge=1), AfterValidator(clamp_side)]
Model = Annotated[str, AfterValidator(_model), WithJsonSchema({"type": "string", "pattern": f"^{_HUB_NAME}$"})]
Word = Annotated[str, Field(pattern=r"^[\w.+-]{1,100}$")]


class Image(Input):
    """Images from a text, made with diffusers."""

    prompt: Text = Field(description="What to paint.")
    negative_prompt: str | None = Field(default=None, description="What to keep out.")
    width: Side | None = Field(
        default=None, description="Pixels, 64 to 2048 in steps of 8; the model's own size if left out."
    )
    height: Side | None = Field(
        default=None, description="Pixels, 64 to 2048 in steps of 8; the model's own size if left out."
    )
    guidance_scale: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="How closely to follow the prompt; the model's own default if left out."
    )
    num_inference_steps: Annotated[int, Field(ge=1, le=500)] | None = Field(
        default=None, description="Steps of denoising; the model's own default if left out."
    )
    seed: Annotated[int, Field(ge=0, le=2**53)] | None = Field(
        default=None, description="Image i uses seed + i; drawn and recorded if left out."
    )
    n: int = Field(default=1, ge=1, le=16, description="How many images.")
    model: Model | None = Field(default=None, description="A model of the hub; the worker's own default if left out.")
    revision: Word | None = Field(default=None, description="A branch, tag or commit of the model.")
    scheduler: Word | None = Field(default=None, description="Another scheduler of diffusers, by its class's name.")
    output_format: Literal["png", "jpeg", "webp"] = Field(default="png", description="The format of the files.")

    aliases: ClassVar[Mapping[str, str]] = {
        "negativePrompt": "negative_prompt",
        "cfg_scale": "guidance_scale",
        "steps": "num_inference_steps",
    }
    short_forms: ClassVar[Mapping[str, str]] = {"size": '`"WxH"`, in place of `width` and `height`.'}

    @classmethod
    def reshape(cls, given: dict[str, Any]) -> tuple[dict[str, Any], dict[Path, Path]]:
        """`size: 768x512` is a width and a height. One that cannot be read stays, for `check` to tell."""
        match = re.fullmatch(_SIDE, given["size"]) if isinstance(given.get("size"), str) else None
        if match is None or "width" in given or "height" in given:
            return given, {}
        rest = {key: value for key, value in given.items() if key != "size"}
        sides = {"width": int(match[1]), "height": int(match[2])}
        return {**rest, **sides}, {("width",): ("size",), ("height",): ("size",)}

    @classmethod
    def check(cls, given: Mapping[str, Any], files: frozenset[str]) -> Iterator[Finding]:
        """What was changed is told; a size that could not be read is a problem."""
        if "size" in given:
            both = "width" in given or "height" in given
            message = "given beside width or height" if both else 'not a size in pixels such as "768x512"'
            yield Finding(("size",), message, "keep one of the two" if both else "")
        for side in ("width", "height"):
            pixels = given.get(side)
            if isinstance(pixels, int) and pixels > 0 and clamp_side(pixels) != pixels:
                changed = f"{clamp_side(pixels)} instead of {pixels}: 64 to 2048 in steps of 8"
                yield Finding((side,), changed, warning=True)
        if given.get("model") == _OLD_MODEL:
            yield Finding(("model",), f"{_OLD_MODEL} was taken down: {_MODEL} is the same", warning=True)
