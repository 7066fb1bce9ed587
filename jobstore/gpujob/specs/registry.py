"""Which kinds of job there are, and the model of each one's input.

Invariant: a kind has one model; ours cannot be replaced.
"""

from __future__ import annotations

import re

from pydantic import BaseModel

from gpujob import keys
from gpujob.specs.inputs.chat import Chat
from gpujob.specs.inputs.echo import Echo
from gpujob.specs.inputs.image import Image
from gpujob.specs.inputs.narrate import Narration
from gpujob.specs.inputs.video import Video

KIND_PATTERN = keys.KIND

_MODELS: dict[str, type[BaseModel]] = {
    "tts.narrate": Narration,
    "image.generate": Image,
    "chat.complete": Chat,
    "video.encode": Video,
    "echo": Echo,
}


def kinds() -> tuple[str, ...]:
    """Ours, and those that plug-ins registered."""
    return tuple(_MODELS)


def input_model(kind: str) -> type[BaseModel] | None:
    """The model of a kind's input; None for a kind that has none here, whose input is taken as it is."""
    return _MODELS.get(kind)


def register_kind(kind: str, model: type[BaseModel]) -> None:
    """Makes a plug-in's kind known, so that its specs are validated, completed and documented like ours.

    Registering the same model again is a no-op; a ValueError where the kind already has another one.
    """
    if not is_kind(kind):
        raise ValueError(
            f"{kind!r} is no name for a kind: lower-case words with dots between them, such as acme.upscale"
        )
    if _MODELS.setdefault(kind, model) is not model:
        raise ValueError(f"the kind {kind} already has another model")


def is_kind(text: str) -> bool:
    """Whether the text has the form of a kind's name; it becomes part of a key in the bucket."""
    return len(text) <= 64 and re.fullmatch(KIND_PATTERN, text) is not None
