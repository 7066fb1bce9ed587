"""Turns text, bytes or a mapping into specs, or tells everything that is wrong with all of them at once.

Invariant: nothing comes back unless every spec of the text is valid.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from gpujob.specs.aliases import Settled
from gpujob.specs.documents import LARGER, Document, Place, Places, plain
from gpujob.specs.envelope import MAX_SPEC_BYTES, Spec, check_envelope
from gpujob.specs.fields import Input
from gpujob.specs.nearest import did_you_mean
from gpujob.specs.older import Modern, modernise
from gpujob.specs.problems import Finding, Moves, Path, Problem, moved, refuse, show_path
from gpujob.specs.raw import rows
from gpujob.specs.reading import decode, read_documents
from gpujob.specs.registry import input_model, is_kind, kinds
from gpujob.specs.sentences import findings_of, noun


@dataclass(frozen=True)
class _Kinds:
    """Which kinds without a model of ours are let through."""

    known: frozenset[str]
    allow_unknown: bool

    def finding(self, kind: object) -> Finding | None:
        if kind is None:
            return Finding(("kind",), "missing", "one of " + ", ".join(kinds()))
        if not isinstance(kind, str) or kind in self.known or input_model(kind) is not None:
            return None
        if self.allow_unknown and is_kind(kind):
            return None
        near = did_you_mean(kind, [*kinds(), *sorted(self.known)])
        if not is_kind(kind) and not near:
            return None  # the envelope says what is wrong with its form
        return Finding(
            ("kind",), "unknown", near or "--allow-unknown-kind lets a kind through that only the worker has"
        )


def parse_specs(
    text: str, *, source: str, allow_unknown_kind: bool = False, known_kinds: Iterable[str] = ()
) -> list[Spec]:
    """Every spec of a text: JSON, JSON lines, YAML 1.2 or a stream of it.

    `source` is the file's name: it stands in every problem, and files of the specs are relative to it. `known_kinds`
    are those of installed plug-ins without a model; `allow_unknown_kind` lets any kind through. Raises InvalidSpec with
    all problems of all specs at once.
    """
    documents, problems = read_documents(text, source)
    accepted = _Kinds(frozenset(known_kinds), allow_unknown_kind)
    specs: list[Spec] = []
    for document in documents:
        spec, findings = _spec_of(document, accepted, source)
        if spec is not None:
            specs.append(spec)
        if findings:
            places = document.places()
            problems.extend(_problem(finding, path, places, source) for finding, path in findings)
    if problems:
        raise refuse(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return specs


def parse_spec_bytes(
    data: bytes, *, source: str, allow_unknown_kind: bool = False, known_kinds: Iterable[str] = ()
) -> list[Spec]:
    """As `parse_specs`, of a file's bytes; anything but UTF-8 is a problem with its place."""
    text, problems = decode(data, source)
    if problems:
        raise refuse(problems)
    return parse_specs(text, source=source, allow_unknown_kind=allow_unknown_kind, known_kinds=known_kinds)


def parse_object(
    obj: Mapping[str, Any],
    *,
    source: str = "<python>",
    allow_unknown_kind: bool = False,
    known_kinds: Iterable[str] = (),
) -> Spec:
    """A spec from a mapping. Raises InvalidSpec with all its problems."""
    document = Document(obj, lambda: Places({}, {}))
    spec, findings = _spec_of(document, _Kinds(frozenset(known_kinds), allow_unknown_kind), source)
    if spec is None:
        raise refuse(_problem(finding, path, None, source) for finding, path in findings)
    return spec


def override(spec: Spec, changes: Mapping[str, Any], *, source: str = "<command line>") -> Spec:
    """The spec with some fields of its envelope replaced; raises InvalidSpec where the new ones are not valid."""
    given = {**spec.model_dump(mode="json", exclude_unset=True), **changes}
    changed = parse_object(given, source=source, allow_unknown_kind=True, known_kinds=(spec.kind,))
    changed._source, changed._locate = spec.source, spec._locate
    changed._warnings = tuple(dict.fromkeys((*spec.warnings, *changed.warnings)))
    return changed


def _spec_of(document: Document, accepted: _Kinds, source: str) -> tuple[Spec | None, list[tuple[Finding, Path]]]:
    """The spec, or its findings with the paths that its author knows."""
    value, findings = plain(document.value)
    findings = [*document.findings, *findings]
    if not isinstance(value, Mapping):
        message = f"a spec is a mapping with kind and input, not {noun(value)}"
        findings = findings or [Finding((), message, "several specs go one a line (JSON lines), or as a YAML stream")]
    if findings:
        return None, [(finding, finding.path) for finding in findings]
    modern = modernise(value)
    reading = _Reading(modern, accepted)
    if reading.spec is None:
        return None, [(finding, moved(finding.path, reading.moves)) for finding in reading.problems()]
    warnings = [f for f in reading.findings if f.warning]
    reading.spec._warnings = tuple(f"{show_path(moved(f.path, reading.moves))}: {f.message}" for f in warnings)
    reading.spec._source = source
    reading.spec._locate = _Locator(document, reading.moves)
    return reading.spec, []


@dataclass(frozen=True)
class _Locator:
    """Where a part of an accepted spec stands. All are equal, since that makes no spec another one."""

    document: Document = field(compare=False)
    moves: Moves = field(compare=False)

    def __call__(self, path: Path) -> Place:
        return self.document.places().of(moved(path, self.moves))


class _Reading:
    """One spec in today's shape, on its way to being accepted."""

    def __init__(self, modern: Modern, accepted: _Kinds) -> None:
        given = modern.value
        self.findings = list(modern.findings)
        self.moves: dict[Path, Path] = dict(modern.moves)
        unknown = accepted.finding(given.get("kind"))
        if unknown is not None and not any(finding.path == ("kind",) for finding in self.findings):
            self.findings.append(unknown)
        kind = given.get("kind")
        model = input_model(kind) if isinstance(kind, str) else None
        canonical = self._input(given, model) if isinstance(given.get("input"), Mapping) else given.get("input")
        self.spec = self._envelope({**given, "input": canonical} if "input" in given else given)
        if self.problems():
            self.spec = None

    def problems(self) -> list[Finding]:
        """What stands against the spec, each path once: what was found first knows best."""
        found: dict[Path, Finding] = {}
        for finding in self.findings:
            if not finding.warning:
                found.setdefault(finding.path, finding)
        return list(found.values())

    def _input(self, given: Mapping[str, Any], model: type[BaseModel] | None) -> Any:
        """The input in its canonical form; as it is where it has no model or is not valid."""
        if model is None:
            return given["input"]
        settled = Settled(model, given["input"])
        here: Path = ("input",)
        self.moves.update(_relocated(settled.moves, here, self.moves))
        self.findings.extend(finding.under(moved(here, self.moves)) for finding in settled.findings)
        files = frozenset(row["name"] for _, row in rows(given, "files") if isinstance(row.get("name"), str))
        if issubclass(model, Input):
            self.findings.extend(finding.under(here) for finding in model.check(settled.value, files))
        try:
            valid = model.model_validate(settled.value)
        except ValidationError as error:
            self.findings.extend(finding.under(here) for finding in findings_of(error, model, settled.value))
            return {}
        return valid.canonical() if isinstance(valid, Input) else valid.model_dump(mode="json", exclude_none=True)

    def _envelope(self, given: Mapping[str, Any]) -> Spec | None:
        spec: Spec | None = None
        try:
            spec = Spec.model_validate(given)
        except ValidationError as error:
            self.findings.extend(findings_of(error, Spec, given))
        self.findings.extend(check_envelope(given, spec))
        if spec is not None:
            self._measure(spec)
        return spec

    def _measure(self, spec: Spec) -> None:
        size_bytes = len(json.dumps(spec.canonical(), ensure_ascii=False, separators=(",", ":")).encode())
        if size_bytes > MAX_SPEC_BYTES:
            message = f"too large: {size_bytes:,} bytes of at most {MAX_SPEC_BYTES:,}"
            self.findings.append(Finding((), message, LARGER))


def _relocated(inner: Mapping[Path, Path], here: Path, outer: Mapping[Path, Path]) -> dict[Path, Path]:
    """Moves inside the input, seen from the whole spec as its author wrote it."""
    return {here + new: moved(here, outer) + old for new, old in inner.items()}


def _problem(finding: Finding, path: Path, places: Places | None, source: str) -> Problem:
    line, column = places.of(path, at_key=finding.at_key) if places is not None else (0, 0)
    return Problem(source, line, column, show_path(path), finding.message, finding.suggestion)
