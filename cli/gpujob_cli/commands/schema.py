"""`gpujob schema`: the JSON Schema of specs."""

from __future__ import annotations

from typing import Annotated

import typer

from gpujob.specs import json_schema, kinds
from gpujob_cli.session import Session


def schema(
    session: Session,
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="Such as tts.narrate; all kinds if left out.")
    ] = None,
) -> None:
    """The JSON Schema of specs of a kind, or of all, for editors and other programs.

    \b
    Example:
      gpujob schema tts.narrate > narrate.schema.json
    """
    if session.out.quiet:
        for name in kinds():
            session.out.answer(name)
        return
    session.out.answer_json(json_schema(kind), pretty=True)
