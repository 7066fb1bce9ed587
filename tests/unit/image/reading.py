"""Reads a picture's origin back, as other programs do."""

from __future__ import annotations

import io
import json
import re
from typing import Any

_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def parse_parameters(text: str) -> dict[str, str]:
    """The text's parts, by the steps that AUTOMATIC1111's `parse_generation_parameters` takes, in our own words."""
    *lines, last = text.strip().split("\n")
    pairs = _PAIR.findall(last)
    assert len(pairs) >= 3, "such readers take a last line with fewer pairs for a part of the prompt"
    prompt, negative, target = [], [], None
    for line in lines:
        if line.startswith("Negative prompt:"):
            target = negative
        (prompt if target is None else target).append(line.removeprefix("Negative prompt:").strip())
    values = {name: json.loads(value) if value.startswith('"') else value for name, value in pairs}
    return {"Prompt": "\n".join(prompt), "Negative prompt": "\n".join(negative), **values}


def origin_of(data: bytes) -> tuple[str, dict[str, Any]]:
    """What a PNG, JPEG or WebP says: the parameters' text and the JSON."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        if picture.format == "PNG":
            return str(picture.info["parameters"]), json.loads(str(picture.info["gpujob"]))
        exif = picture.getexif()
        comment = exif.get_ifd(0x8769)[0x9286]
        assert comment[:8] == b"UNICODE\0"
        return comment[8:].decode("utf-16-be"), json.loads(exif[0x010E])
