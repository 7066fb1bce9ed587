"""Values of flags that are more than words: labels and durations. Loads no spec model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gpujob.errors import InvalidSpec
from gpujob.specs.quantities import parse_duration

OutFlag = Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where the files go.")]
ForceFlag = Annotated[bool, typer.Option("--force", help="Overwrite different files in DIR.")]
TitleFlag = Annotated[str | None, typer.Option(metavar="TEXT", help="Free text for people.")]
PriorityFlag = Annotated[str | None, typer.Option(metavar="high|normal|low", help="Before or after others.")]
LabelFlag = Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Add a label; repeatable.")]
KeyFlag = Annotated[
    str | None, typer.Option(metavar="KEY", help="Your name for the job: submitting it again is a no-op.")
]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Check everything and submit nothing.")]
WaitFlag = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the files.")]
FallbackFlag = Annotated[
    str | None, typer.Option(metavar="none|local", help="While waiting: do it on this machine if nobody else does.")
]
FallbackAfterFlag = Annotated[
    str | None, typer.Option(metavar="TIME", help="How long to look for a live worker first; as the spec says, or 2m.")
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
