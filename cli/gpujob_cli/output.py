"""What a command says: the answer on stdout, the talk on stderr.

With --json the answer is JSON and the talk is silent but for warnings and errors, which are JSON too; with -q the
answer is ids or paths and the talk is silent. Colour and movement only on a terminal that wants them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from gpujob.settings import Terminal, terminal
from gpujob_cli.text import clean, shorten, table

STYLES = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "bold": "1"}
CLEAR_LINE = "\r\x1b[2K"


class Output:
    """The two streams of one command."""

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        wishes: Terminal | None = None,
    ) -> None:
        self.json = json
        self.quiet = quiet
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._wishes = wishes or terminal()
        self._live = False
        self._status = ""

    @property
    def silent(self) -> bool:
        """Whether talk is unwanted."""
        return self.json or self.quiet

    @property
    def animated(self) -> bool:
        """Whether a line may be rewritten in place."""
        return not self.silent and not self._wishes.dumb and self._stderr.isatty()

    # -- the answer

    def answer(self, text: object) -> None:
        """One line of the answer, on stdout."""
        self._clear()
        self._stdout.write(clean(text) + "\n")
        self._stdout.flush()

    def raw(self, text: str) -> None:
        """Text of the answer that has lines of its own (a log, a schema)."""
        self._clear()
        shown = clean(text, lines=True)
        self._stdout.write(shown if shown.endswith("\n") or not shown else shown + "\n")
        self._stdout.flush()

    def answer_json(self, value: Any, *, pretty: bool = False) -> None:
        """The answer (or one line of it) as JSON."""
        self._clear()
        self._stdout.write(json.dumps(value, ensure_ascii=True, indent=2 if pretty else None, default=str) + "\n")
        self._stdout.flush()

    def table(self, rows: Sequence[Sequence[object]], *, header: Sequence[str]) -> None:
        """Aligned columns as the answer, cut to the width of a terminal."""
        self._clear()
        width = shutil.get_terminal_size().columns if self._stdout.isatty() else None
        first, *others = table([[str(cell) for cell in row] for row in rows], header=list(header), width=width)
        self._stdout.write(self._painted(first, "dim", self._stdout) + "\n" + "".join(f"{line}\n" for line in others))
        self._stdout.flush()

    # -- the talk

    def say(self, text: object, *, style: str = "") -> None:
        """One line of talk, on stderr."""
        if not self.silent:
            self._clear()
            self._write(self._painted(clean(text), style, self._stderr) + "\n")

    def warn(self, text: object) -> None:
        """One line that is said even with -q."""
        self._clear()
        if self.json:
            self._write(json.dumps({"warning": clean(text)}) + "\n")
        else:
            self._write(self._painted(f"warning: {clean(text)}", "warn", self._stderr) + "\n")

    def status(self, text: str, *, change: object = None) -> None:
        """The line that says how things stand: rewritten in place on a terminal, else printed when `change` is new."""
        if self.silent:
            return
        key = clean(text if change is None else change)
        if self.animated:
            width = shutil.get_terminal_size().columns - 1
            self._write(CLEAR_LINE + shorten(clean(text), width))
            self._live = True
        elif key != self._status:
            self._write(clean(text) + "\n")
        self._status = key

    def close(self) -> None:
        """Leaves no half-written line behind."""
        self._clear()

    def _clear(self) -> None:
        if self._live:
            self._live = False
            self._write(CLEAR_LINE)

    def _write(self, text: str) -> None:
        self._stderr.write(text)
        self._stderr.flush()

    def _painted(self, text: str, style: str, stream: TextIO) -> str:
        code = STYLES.get(style)
        return f"\x1b[{code}m{text}\x1b[0m" if code and self._colors(stream) else text

    def _colors(self, stream: TextIO) -> bool:
        if self._wishes.color is not None:
            return self._wishes.color
        return stream.isatty() and not self._wishes.dumb


def labels(pairs: Mapping[str, str]) -> str:
    """`a=1, b=2`, for a table."""
    return ", ".join(f"{name}={value}" for name, value in sorted(pairs.items()))
