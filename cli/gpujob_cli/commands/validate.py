"""`gpujob validate`: all errors of specs at once, with nothing submitted and no store needed."""

from __future__ import annotations

from typing import Annotated

import typer

from gpujob.specs import Spec
from gpujob_cli.reading import read_specs, require_one_spec_a_key
from gpujob_cli.session import Session


def validate(
    session: Session,
    specs: Annotated[list[str], typer.Argument(metavar="SPEC...", help="JSON, YAML or JSON lines; - is stdin.")],
    allow_unknown_kind: Annotated[
        bool, typer.Option("--allow-unknown-kind", help="Let a kind through that only the worker has.")
    ] = False,
) -> None:
    """Check specs and tell all that is wrong with them at once. Exit 2 where something is.

    \b
    Example:
      gpujob validate tour.yaml
    """
    found = read_specs(specs, allow_unknown_kind=allow_unknown_kind)
    require_one_spec_a_key(found)
    for spec in found:
        for warning in spec.warnings:
            session.out.warn(f"{spec.source}: {warning}")
    if session.out.json:
        session.out.answer_json([_facts(spec) for spec in found])
        return
    for spec in found:
        title = f", {spec.title}" if spec.title else ""
        session.out.answer(spec.source if session.out.quiet else f"{spec.source}: ok, {spec.kind}{title}")


def _facts(spec: Spec) -> dict[str, object]:
    return {"source": spec.source, "kind": spec.kind, "title": spec.title, "warnings": list(spec.warnings)}
