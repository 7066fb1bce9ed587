"""What a command says: the answer on stdout, the talk on stderr.

With --json the answer is JSON and the talk is silent but for warnings and errors, which are JSON too; with -q the
answer is ids or paths and the talk is silent. Colour and movement only on a terminal that wants them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TextIO

from gpujob.settings import Terminal, terminal
from gpujob_cli.text import clean, table

STYLES = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "bold": "1"}
BAR_CELLS = 20
GROWING_LINES = 12


@dataclass(frozen=True)
class Line:
    """How things stand. `fraction` becomes a bar on a terminal; `left` is what changes all the time.

    `growing` is text that is being written; its last lines stand above the line, on a terminal only.
    `lasting` is the text without the times that stand in it, where some do.
    """

    text: str
    fraction: float | None = None
    left: str = ""
    growing: str = ""
    lasting: str = ""

    @property
    def percent(self) -> int:
        """The fraction, of a hundred."""
        return int(100 * (self.fraction or 0))

    @property
    def key(self) -> str:
        """What makes one line differ from the next where each costs a line of a log."""
        return clean(self.lasting or self.text)

    def after(self, head: str) -> Line:
        """The same line with `head` before it."""
        return replace(self, text=head + self.text, lasting=head + (self.lasting or self.text))

    @property
    def plain(self) -> str:
        """The line without a terminal."""
        parts = [self.text, "" if self.fraction is None else f"{self.percent} %", self.left]
        return clean(", ".join(part for part in parts if part))


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
        pointed: Callable[[str], str] = str,
    ) -> None:
        """`pointed` makes commands in the talk lead to where this one works."""
        self.json = json
        self.quiet = quiet
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._wishes = wishes or terminal()
        self._pointed = pointed
        self._live: Any = None
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

    @property
    def width(self) -> int | None:
        """The columns of the terminal that the answer goes to; None where it goes elsewhere and no line is broken."""
        return shutil.get_terminal_size().columns if self._stdout.isatty() else None

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
        first, *others = table([[str(cell) for cell in row] for row in rows], header=list(header), width=self.width)
        self._stdout.write(self._painted(first, "dim", self._stdout) + "\n" + "".join(f"{line}\n" for line in others))
        self._stdout.flush()

    # -- the talk

    def say(self, text: object, *, style: str = "") -> None:
        """One line of talk, on stderr."""
        if not self.silent:
            self._clear()
            self._write(self._painted(self._talk(text), style, self._stderr) + "\n")

    def warn(self, text: object) -> None:
        """One line that is said even with -q."""
        self._clear()
        if self.json:
            self._write(json.dumps({"warning": self._talk(text)}) + "\n")
        else:
            self._write(self._painted(f"warning: {self._talk(text)}", "warn", self._stderr) + "\n")

    def status(self, line: Line | str) -> None:
        """How things stand: rewritten in place on a terminal, else one plain line a change."""
        if self.silent:
            return
        line = Line(line) if isinstance(line, str) else line
        line = replace(line, text=self._pointed(line.text), lasting=self._pointed(line.lasting))
        if self.animated:
            self._show(line)
        elif line.key != self._status:
            self._write(f"{line.plain}\n")
        self._status = line.key

    def _talk(self, text: object) -> str:
        return clean(self._pointed(str(text)))

    def close(self) -> None:
        """Leaves no half-written line behind."""
        self._clear()

    def _show(self, line: Line) -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            console = Console(file=self._stderr, markup=False, highlight=False, emoji=False)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        drawn = _drawn(line)
        self._live.update(_above(line.growing, drawn, self._live.console) if line.growing else drawn, refresh=True)

    def _clear(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

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


def _drawn(line: Line) -> Any:
    from rich.text import Text

    drawn = Text(clean(line.text), no_wrap=True, overflow="ellipsis")
    if line.fraction is not None:
        full = min(BAR_CELLS, max(0, round(line.fraction * BAR_CELLS)))
        drawn.append("  ").append("━" * full, "green").append("━" * (BAR_CELLS - full), "dim")
        drawn.append(f" {line.percent} %")
    return drawn.append(f"  {clean(line.left)}" if line.left else "")


def _above(growing: str, line: Any, console: Any) -> Any:
    """The last lines of a growing text, as many as fit the screen, and then the line."""
    from rich.console import Group
    from rich.text import Text

    rows = Text(clean(growing, lines=True).strip("\n")).wrap(console, console.width)
    return Group(*rows[-max(1, min(GROWING_LINES, console.height - 3)) :], line)
