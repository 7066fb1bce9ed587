"""What is wrong with a spec: where, what, and what to write instead.

A `Finding` speaks of a path inside the spec; a `Problem` adds the file, line and column. Invariant: no finding repeats
a value from under `secrets`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gpujob.errors import InvalidSpec

Path = tuple[str | int, ...]
Moves = Mapping[Path, Path]
"""Where a part of the spec stood when its author wrote it, by where it stands now (aliases, older shapes)."""


@dataclass(frozen=True)
class Finding:
    """Something wrong at `path`; with `warning`, something accepted but changed."""

    path: Path
    message: str
    suggestion: str = ""
    at_key: bool = False
    warning: bool = False

    def under(self, prefix: Path) -> Finding:
        """The same finding, seen from a level further up."""
        return Finding(prefix + self.path, self.message, self.suggestion, self.at_key, self.warning)


@dataclass(frozen=True)
class Problem:
    """One line of what a spec's author is told. Lines and columns count from 1; 0 where there is no text."""

    file: str
    line: int
    column: int
    path: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        where = f"{place}: {self.path}" if self.path else place
        return f"{where}: {self.message}" + (f", {self.suggestion}" if self.suggestion else "")


def refuse(problems: Iterable[Problem]) -> InvalidSpec:
    """The error to raise for these problems; its text lists every one of them, a line each."""
    found = tuple(problems)
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    lines = "\n".join(str(problem) for problem in found)
    hint = "`gpujob schema KIND` prints what a spec may hold, and `gpujob validate` tries one without submitting it"
    return InvalidSpec(f"{count} in the spec:\n{lines}", problems=found, hint=hint)


def show_path(path: Path) -> str:
    """`input.steps[0].narration`; a key that is no plain word is quoted."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif re.fullmatch(r"[\w$<-]{1,64}", part):
            shown += f".{part}" if shown else part
        else:
            shown += f"[{json.dumps(part[:64])}]"
    return shown


def moved(path: Path, moves: Moves) -> Path:
    """The path as the spec's author wrote it."""
    for length in range(len(path), -1, -1):
        origin = moves.get(path[:length])
        if origin is not None:
            return origin + path[length:]
    return path
