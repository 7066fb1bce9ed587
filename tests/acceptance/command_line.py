"""The real `gpujob` console script in a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

GPUJOB = Path(sys.executable).with_name("gpujob")
PATIENCE_S = 100


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The answer, line by line."""
        return self.out.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The answer's JSON lines."""
        return [json.loads(line) for line in self.lines]

    @property
    def error(self) -> dict[str, Any]:
        """The error object of --json."""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return found


class Running:
    """A command that has not ended; its talk can be waited for, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.heard: list[str] = []

    def wait_for(self, text: str) -> str:
        """The next line of talk that contains `text`."""
        talk: IO[str] | None = self.process.stderr
        assert talk is not None
        for line in talk:
            self.heard.append(line)
            if text in line:
                return line
        raise AssertionError(f"it ended before it said {text!r}: {self.heard}")

    def interrupt(self) -> Done:
        """Ctrl-C, and how it ends then."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Done(self.process.returncode, out, "".join(self.heard) + err)


class Person:
    """Somebody with a home, a working folder and nothing set up."""

    def __init__(self, place: Path) -> None:
        self.work = place / "work"
        self.home = place / "home"
        self.work.mkdir(parents=True)
        self.home.mkdir()
        unwanted = ("XDG_", "GPUJOB_", "AWS_", "NO_COLOR", "FORCE_COLOR")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        self.env |= {"HOME": str(self.home), "AWS_EC2_METADATA_DISABLED": "true"}

    @property
    def store(self) -> str:
        """The URL of the store that is used when none is set."""
        return (self.home / ".local" / "share" / "gpujob" / "store").as_uri()

    def run(self, *args: str | Path, stdin: str = "", terminal: int | None = None, **env: str) -> Done:
        """Runs `gpujob` with these arguments to its end; `terminal` is a file descriptor to read from instead."""
        done = subprocess.run(
            [str(GPUJOB), *map(str, args)],
            check=False,
            input=stdin if terminal is None else None,
            stdin=terminal,
            capture_output=True,
            text=True,
            env=self.env | env,
            cwd=self.work,
            timeout=PATIENCE_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def shell(self, line: str) -> Done:
        """Runs a line of shell, `gpujob` being on the path."""
        env = self.env | {"PATH": f"{GPUJOB.parent}{os.pathsep}{self.env['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", line],
            check=False,
            capture_output=True,
            text=True,
            env=env,
            cwd=self.work,
            timeout=PATIENCE_S,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *args: str | Path) -> Iterator[Running]:
        """`gpujob` while it runs."""
        process = subprocess.Popen(
            [str(GPUJOB), *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
            cwd=self.work,
        )
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def write(self, name: str, content: object) -> Path:
        """A file in the working folder: text as it is, anything else as JSON."""
        path = self.work / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path
