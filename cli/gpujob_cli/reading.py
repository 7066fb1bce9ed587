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
    problems: list[Any] = []
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
            problems += error.problems or (error.message,)
    if problems:
        raise refuse(problems)
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
    missing = [
        f"{spec.source}: files: {name}: there is no file {path}"
        for spec in specs
        for name, path in spec.sources().items()
        if not path.is_file()
    ]
    if missing:
        raise InvalidSpec("\n".join(missing), hint="Paths in a spec are relative to the spec.")


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
        raise InvalidSpec(f"there is no file {source}", hint="Give the path of a spec, or - for stdin.") from None
    except OSError as error:
        raise InvalidSpec(f"cannot read {source}: {error.strerror}", hint="Give the path of a spec.") from None
