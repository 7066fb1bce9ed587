"""Writes a picture as PNG, JPEG or WebP with its origin inside.

PNG has it in the text chunks `parameters` and `gpujob`; JPEG and WebP in EXIF, as UserComment and ImageDescription
(Exif 2.32, 4.6.4 and 4.6.5; the comment in UTF-16 after the eight bytes of its character code).
Invariant: the same pixels and the same origin give the same bytes.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from .origin import Origin

MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
ENDINGS = {"png": "png", "jpeg": "jpg", "webp": "webp"}

_IMAGE_DESCRIPTION, _SOFTWARE, _EXIF_IFD, _USER_COMMENT = 0x010E, 0x0131, 0x8769, 0x9286
_MOST_EXIF_BYTES = 60_000  # a segment of a JPEG holds 64 KiB


def name_of(index: int, form: str) -> str:
    """The name under which image `index` is uploaded."""
    return f"images/image-{index}.{ENDINGS[form]}"


def write(picture: Any, path: Path, form: str, origin: Origin) -> str | None:
    """Writes PIL's `picture`; returns a warning where its origin was too long for the format."""
    if form == "png":
        picture.save(path, "PNG", pnginfo=_chunks(origin))
        return None
    exif, warning = _exif(origin, limited=form == "jpeg")
    quality = {"quality": 95, "subsampling": 0} if form == "jpeg" else {"quality": 92, "method": 4}
    picture.convert("RGB").save(path, form.upper(), exif=exif, **quality)
    return warning


def _chunks(origin: Origin) -> Any:
    chunks = importlib.import_module("PIL.PngImagePlugin").PngInfo()
    chunks.add_text("parameters", origin.parameters())
    chunks.add_text("gpujob", origin.as_json())
    return chunks


def _exif(origin: Origin, *, limited: bool) -> tuple[bytes, str | None]:
    """The EXIF block: with all, without the JSON, or with neither, as much as fits."""
    parameters, facts = origin.parameters(), origin.as_json()
    warning = None
    for comment, description in ((parameters, facts), (parameters, ""), ("", "")):
        block: bytes = _block(comment, description, origin.software)
        if not limited or len(block) <= _MOST_EXIF_BYTES:
            break
        warning = "the prompt is too long for a JPEG's EXIF; png and webp keep all of it"
    return block, warning


def _block(comment: str, description: str, software: str) -> bytes:
    exif = importlib.import_module("PIL.Image").Exif()
    exif[_SOFTWARE] = software
    if description:
        exif[_IMAGE_DESCRIPTION] = description
    if comment:
        exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"UNICODE\0" + comment.encode("utf-16-be")
    block: bytes = exif.tobytes()
    return block
