"""The pages as data: fenced blocks with where they stand, inline code, links and headings.

Invariant: what is inside a fenced block is never taken for a link, a heading or inline code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMMENT = re.compile(r"<!-- (.+) -->")
FENCE = re.compile(r"^( *)```(\w*) *(.*)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words behind that, the comment before it, its text, and its first line's number.

    The comment `<!-- runs -->` means that its commands are run, `<!-- file: NAME -->` that it is written to that file.
    """

    language: str
    marks: tuple[str, ...]
    comment: str
    text: str
    line: int

    @property
    def file(self) -> str:
        return self.comment.removeprefix("file: ") if self.comment.startswith("file: ") else ""


@dataclass(frozen=True)
class Page:
    """A page taken apart; `prose` keeps the line numbers, with empty lines where blocks stood."""

    path: Path
    blocks: tuple[Block, ...]
    prose: str

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def python(self) -> list[Block]:
        return [block for block in self.blocks if block.language == "python" and "no-run" not in block.marks]

    @property
    def inline(self) -> list[str]:
        return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", self.prose)

    @property
    def links(self) -> list[str]:
        return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", self.prose))

    @property
    def anchors(self) -> set[str]:
        headings = re.findall(r"^#+ +(.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def every_page() -> list[Page]:
    """README and the pages beside it, those of the folders, and all of docs/."""
    beside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [
        read(path) for path in [*beside, *sorted(ROOT.glob("[a-z]*/README.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    ]


def read(path: Path) -> Page:
    """Takes one page apart."""
    blocks: list[Block] = []
    prose: list[str] = []
    before = ""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        fence = FENCE.match(line)
        prose.append("" if fence else line)
        if fence is None:
            before = line if line.strip() else before
            continue
        inside = list(_until_closed(lines, fence[1], f"{path}:{number}"))
        prose += [""] * (len(inside) + 1)
        comment = COMMENT.fullmatch(before.strip())
        marks = tuple(fence[3].split())
        blocks.append(Block(fence[2], marks, comment[1] if comment else "", "\n".join(inside), number + 1))
        before = ""
    return Page(path, tuple(blocks), "\n".join(prose))


def _until_closed(lines: Iterator[tuple[int, str]], indent: str, where: str) -> Iterator[str]:
    for _, line in lines:
        if line == f"{indent}```":
            return
        yield line.removeprefix(indent)
    raise AssertionError(f"{where}: the block is not closed")
