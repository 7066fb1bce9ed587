"""Values of flags that are more than words: labels and durations. Loads no spec model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from gpujob.errors import InvalidSpec
from gpujob.specs.quantities import parse_duration

FallbackFlag = Annotated[
    str | None, typer.Option(metavar="none|local", help="While waiting: do it on this machine if nobody else does.")
]
FallbackAfterFlag = Annotated[
    str | None, typer.Option(metavar="TIME", help="How long to look for a live worker first; 2m by default.")
]


def parse_labels(pairs: Iterable[str] | None) -> dict[str, str]:
    """`k=v` flags as a mapping."""
    found = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidSpec(f"--label {pair!r} is not NAME=VALUE", hint="Write it like --label project=docs.")
        found[name] = value
    return found


def duration(flag: str, text: str | None) -> float | None:
    """The seconds that a flag says; None where it is not given."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidSpec(f"{flag}: {error}", hint="Write a duration like 30s, 10m or 2h.") from None
