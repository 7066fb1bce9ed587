"""Specs from files and stdin, every one of them checked before any is used.

Invariant: either all specs of a command line are valid, or all that is wrong with any of them is told at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from gpujob.errors import InvalidSpec
from gpujob.specs import Problem, Spec, override, parse_spec_bytes, refuse

STDIN = "-"


def read_specs(sources: Iterable[str], *, allow_unknown_kind: bool = False) -> list[Spec]:
    """The specs of all files (`-` is stdin), in order. Raises InvalidSpec with every problem of every file."""
    specs: list[Spec] = []
    errors: list[InvalidSpec] = []
    known = plugin_kinds()
    for source in sources:
        try:
            specs += parse_spec_bytes(
                _bytes(source),
                source="<stdin>" if source == STDIN else source,
                allow_unknown_kind=allow_unknown_kind,
                known_kinds=known,
            )
        except InvalidSpec as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise refuse(problem for error in errors for problem in error.problems)
    return specs


def changed(spec: Spec, changes: dict[str, Any]) -> Spec:
    """The spec with what flags say in place of its own. Labels are added, not replaced."""
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("labels"):
        given["labels"] = {**spec.labels, **given["labels"]}
    else:
        given.pop("labels", None)
    return override(spec, given) if given else spec


def require_files(specs: Iterable[Spec]) -> None:
    """Raises InvalidSpec, naming each file of the specs that is not there or cannot be read."""
    from gpujob.inputs import unreadable

    problems = tuple(
        Problem(spec.source, *spec.place_of(("files", row, "source")), f"files[{row}].source", reason)
        for spec in specs
        for row, path in enumerate(spec.sources().values())
        if (reason := unreadable(path)) is not None
    )
    if problems:
        text = "\n".join(str(problem) for problem in problems)
        raise InvalidSpec(text, problems=problems, hint="Paths in a spec are relative to the spec.")


def require_one_spec_a_key(specs: Iterable[Spec]) -> None:
    """Raises InvalidSpec where two specs that differ have the same idempotency key: the second could not be submitted."""
    first: dict[str, tuple[int, dict[str, Any]]] = {}
    problems: list[Problem] = []
    for number, spec in enumerate(specs, start=1):
        key = spec.idempotency_key
        if key is None:
            continue
        plain = spec.canonical()
        earlier, its = first.setdefault(key, (number, plain))
        if plain != its:
            said = f"{key!r} is the key of spec {earlier} already, from which spec {number} differs"
            problems.append(Problem(spec.source, 0, 0, "idempotency_key", said))
    if problems:
        raise refuse(problems)


def plugin_kinds() -> tuple[str, ...]:
    """The kinds of installed plug-ins. One that does not load is the worker's trouble, not a spec's."""
    found: list[str] = []
    for point in entry_points(group="gpujob.executors"):
        if not point.value.startswith("gpujob_worker."):
            with suppress(Exception):
                found += point.load().kinds
    return tuple(found)


def _bytes(source: str) -> bytes:
    if source == STDIN:
        return sys.stdin.buffer.read()
    path = Path(source)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _unread(source, f"there is no file {source}", "there is no such file") from None
    except OSError as error:
        raise _unread(source, f"cannot read {source}: {error.strerror}", f"unreadable: {error.strerror}") from None


def _unread(source: str, alone: str, among_others: str) -> InvalidSpec:
    problem = Problem(source, 0, 0, "", among_others)
    return InvalidSpec(alone, problems=(problem,), hint="Give the path of a spec, or - for stdin.")
