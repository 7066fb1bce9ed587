"""Finds out what a text is (JSON, JSON lines, YAML or a stream of it) and reads its documents.

Invariant: the text's content decides; the source's ending only settles what content leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from gpujob.specs.documents import Document, Unreadable
from gpujob.specs.json_text import is_json, read_json
from gpujob.specs.problems import Problem
from gpujob.specs.yaml_text import read_yaml

MAX_TEXT_CHARS = 64 * 1024 * 1024
MAX_SPECS = 10_000


def read_documents(text: str, source: str) -> tuple[list[Document], list[Problem]]:
    """Every document of the text that can be read, and a problem for each that cannot."""
    body = text.removeprefix("\ufeff")
    if len(body) > MAX_TEXT_CHARS:
        return [], [Problem(source, 1, 1, "", f"too large: {len(body):,} characters", "split it into several files")]
    if not body.strip():
        return [], [Problem(source, 1, 1, "", "empty: there is no spec in it")]
    documents, problems = _READERS[_form(body, source)](body, source)
    if not documents and not problems:
        problems = [Problem(source, 1, 1, "", "empty: there is no spec in it")]
    if len(documents) > MAX_SPECS:
        return [], [
            Problem(source, 1, 1, "", f"{len(documents):,} specs are too many at once", f"at most {MAX_SPECS:,}")
        ]
    return documents, problems


def decode(data: bytes, source: str) -> tuple[str, list[Problem]]:
    """The text of a file's bytes, which must be UTF-8."""
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return "", [
            Problem(source, line, column, "", f"not UTF-8 (byte 0x{data[error.start]:02x})", "save the file as UTF-8")
        ]


def _form(body: str, source: str) -> str:
    ending = PurePath(source).suffix.lower()
    if ending in (".jsonl", ".ndjson") or _looks_like_lines(body):
        return "lines"
    if ending == ".json":
        return "json"
    if body.lstrip()[0] not in "{[":
        return "yaml"
    if ending in (".yaml", ".yml"):
        return "json" if is_json(body) else "yaml"
    return "either"


def _looks_like_lines(body: str) -> bool:
    """Whether the first line is an object of its own and the next one opens another."""
    lines = (line for line in _first_lines(body) if line.strip())
    first, second = next(lines, ""), next(lines, "")
    return second.lstrip().startswith("{") and first.lstrip().startswith("{") and is_json(first)


def _first_lines(body: str) -> Iterator[str]:
    start = 0
    while start < len(body):
        end = body.find("\n", start)
        end = len(body) if end < 0 else end
        yield body[start:end]
        start = end + 1


def _read_json(body: str, source: str) -> tuple[list[Document], list[Problem]]:
    try:
        return [read_json(body)], []
    except Unreadable as error:
        return [], [_problem(error, source)]


def _read_lines(body: str, source: str) -> tuple[list[Document], list[Problem]]:
    documents: list[Document] = []
    problems: list[Problem] = []
    for number, line in enumerate(body.split("\n"), start=1):
        if line.strip() and len(documents) <= MAX_SPECS:
            try:
                documents.append(read_json(line, number))
            except Unreadable as error:
                problems.append(_problem(error, source))
    return documents, problems


def _read_yaml(body: str, source: str) -> tuple[list[Document], list[Problem]]:
    documents: list[Document] = []
    try:
        documents.extend(read_yaml(body))
    except Unreadable as error:
        return documents, [_problem(error, source)]
    return documents, []


def _read_either(body: str, source: str) -> tuple[list[Document], list[Problem]]:
    """JSON, or YAML that begins like it; where it is neither, the person meant JSON."""
    documents, problems = _read_json(body, source)
    if not problems:
        return documents, []
    as_yaml, wrong = _read_yaml(body, source)
    return (as_yaml, []) if not wrong else (documents, problems)


_READERS = {"json": _read_json, "lines": _read_lines, "yaml": _read_yaml, "either": _read_either}


def _problem(error: Unreadable, source: str) -> Problem:
    return Problem(source, *error.place, "", error.message, error.suggestion)
