"""Which kinds of job there are, and the model of each one's input.

A plug-in names its kinds under the entry point group `gpujob.kinds`, each with the model of its input; the model is
imported when a spec of that kind is met. Invariant: a kind has one model; ours cannot be replaced.
"""

from __future__ import annotations

import logging
import re
from importlib.metadata import entry_points

from pydantic import BaseModel

from gpujob import keys
from gpujob.specs.inputs.chat import Chat
from gpujob.specs.inputs.echo import Echo
from gpujob.specs.inputs.image import Image
from gpujob.specs.inputs.narrate import Narration
from gpujob.specs.inputs.video import Video

log = logging.getLogger("gpujob")

GROUP = "gpujob.kinds"
KIND_PATTERN = keys.KIND

_MODELS: dict[str, type[BaseModel]] = {
    "tts.narrate": Narration,
    "image.generate": Image,
    "chat.complete": Chat,
    "video.encode": Video,
    "echo": Echo,
}


def kinds() -> tuple[str, ...]:
    """Ours, and those of plug-ins, installed or registered."""
    return tuple(dict.fromkeys([*_MODELS, *(point.name for point in entry_points(group=GROUP))]))


def input_model(kind: str) -> type[BaseModel] | None:
    """The model of a kind's input; None for a kind that has none here, whose input is taken as it is."""
    if kind not in _MODELS:
        for point in entry_points(group=GROUP, name=kind):
            try:
                register_kind(kind, point.load())
            except Exception as error:  # noqa: BLE001 - a broken plug-in costs its own kinds only
                log.warning("the model of %s in %s does not load: %s", kind, point.value, error)
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
