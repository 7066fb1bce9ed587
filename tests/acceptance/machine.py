"""A person's machine for tests: a home of its own, a folder store, and the real `gpujob` in processes of its own.

Jobs are put and done in this process, through the library, so that only what is tested costs a process.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from gpujob import JobStore
from gpujob.buckets.folder import FolderBucket
from gpujob.clock import SystemRuntime
from gpujob.records import Manifest
from gpujob_cli import app
from gpujob_worker import EchoExecutor, Limits, Worker

GPUJOB = Path(sysconfig.get_path("scripts")) / "gpujob"
PATIENCE_S = 100.0


@dataclass(frozen=True)
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer of --json."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error object of --json."""
        return json.loads(self.err.splitlines()[-1])["error"]  # type: ignore[no-any-return]


class Then(SystemRuntime):
    """The system's runtime, as it was some time ago."""

    def __init__(self, age_s: float) -> None:
        self._age_s = age_s

    def now(self) -> float:
        return time.time() - self._age_s


class Machine:
    """One home, one folder store."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store_folder = home / "store"
        self.url = self.store_folder.as_uri()

    @property
    def env(self) -> dict[str, str]:
        """An environment in which nothing of the real person's is found."""
        return {
            **os.environ,
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "GPUJOB_STORE": self.url,
            "COLUMNS": "200",
        }

    def run(self, *args: str | Path, input: str | None = None, env: Mapping[str, str] | None = None) -> Ran:
        """`gpujob ARGS`, to its end. Whatever happens, a person sees no traceback."""
        done = subprocess.run(
            [GPUJOB, *map(str, args)],
            input=input,
            stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            cwd=self.home,
            env={**self.env, **(env or {})},
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def here(self, *args: str | Path, input: str = "", env: Mapping[str, str] | None = None) -> Ran:
        """As `run`, inside this process: for the many small refusals, of which none is worth a process of its own."""
        out, err = io.StringIO(), io.StringIO()
        stdin = io.TextIOWrapper(io.BytesIO(input.encode()), encoding="utf-8")
        with (
            patch.dict(os.environ, {**self.env, **(env or {})}, clear=True),
            patch.object(sys, "stdin", stdin),
            contextlib.chdir(self.home),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = app.run([str(arg) for arg in args])
        assert "Traceback" not in err.getvalue() + out.getvalue(), err.getvalue()
        return Ran(code, out.getvalue(), err.getvalue())

    def start(self, *args: str) -> subprocess.Popen[str]:
        """`gpujob ARGS`, left running; its output can be read line by line."""
        return subprocess.Popen(
            [GPUJOB, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            env={**self.env, "PYTHONUNBUFFERED": "1"},
        )

    def store(self, *, age_s: float = 0.0) -> JobStore:
        """The queue, opened in this process; with `age_s`, as it was written so long ago."""
        then = Then(age_s)
        return JobStore(FolderBucket(self.store_folder, now=then.now), runtime=then)

    def submit(self, *, age_s: float = 0.0, **spec: Any) -> Manifest:
        """Puts an echo job in the queue."""
        return self.store(age_s=age_s).submit({"kind": "echo", "input": {"message": "hello"}, **spec}).manifest

    def serve(self, *, age_s: float = 0.0, worker: str = "w-1", jobs: int = 1) -> None:
        """Does so many attempts of what is in the queue."""
        for _ in range(jobs):
            done = Worker(self.store(age_s=age_s), [EchoExecutor()], worker_id=worker, limits=Limits(once=True)).run()
            assert done.jobs == 1, "there was nothing to do"

    def done(self, *, age_s: float = 0.0, files: Mapping[str, int] | None = None, **spec: Any) -> Manifest:
        """A job that has ended, with files of these sizes."""
        listed: Sequence[dict[str, Any]] = [{"name": name, "bytes": size} for name, size in (files or {}).items()]
        given = {"message": "hello", "artifacts": listed, **spec.pop("input", {})}
        manifest = self.submit(age_s=age_s, input=given, **spec)
        self.serve(age_s=age_s)
        return manifest
