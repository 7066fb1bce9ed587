"""An Ollama daemon: the one that runs, or one of our own that ends with us.

Invariant: a daemon that was found is never stopped; one that was started here never outlives this process, because
`guard` watches over it.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

from gpujob import settings
from gpujob.clock import SYSTEM
from gpujob.errors import JobFailed

from .addresses import LOOPBACK, is_here

LOOK_TIMEOUT_S = 2.0
START_TIMEOUT_S = 60.0
LEAVE_WITHIN_S = 6.0
TRIES = 3  # a port that was free a moment ago may be taken
MAX_LOG_BYTES = 2**20
INSTALL_HINT = "Install Ollama (https://ollama.com/download), or set OLLAMA_HOST to where its daemon runs."
_PAUSE_S = 0.1


def version_at(url: str, *, timeout_s: float = LOOK_TIMEOUT_S) -> str | None:
    """The version of the Ollama daemon that answers at a URL; None where none does."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        with closing(kind(parts.hostname or LOOPBACK, parts.port, timeout=timeout_s)) as connection:
            connection.request("GET", f"{parts.path}/api/version")
            answer = connection.getresponse().read(65536)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return version_in(answer)


def version_in(body: bytes) -> str | None:
    """The version in a daemon's answer; None where there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    version = answer.get("version") if isinstance(answer, dict) else None
    return version if isinstance(version, str) else None


def find_program() -> Path | None:
    """The `ollama` on the PATH."""
    found = shutil.which("ollama")
    return Path(found) if found else None


def log_file() -> Path:
    """Where the daemons that are started here write what they have to say."""
    return settings.state_dir() / "ollama.log"


class Daemon:
    """A daemon that answers at `url`. `stop` ends it if it is our own."""

    def __init__(self, url: str, version: str, process: subprocess.Popen[bytes] | None = None) -> None:
        self.url = url
        self.version = version
        self._process = process

    @property
    def where(self) -> str:
        """Where its own words stand, for a hint."""
        return str(log_file()) if self._process else f"the log of the daemon at {self.url}"

    @property
    def is_ours(self) -> bool:
        """Whether it was started here."""
        return self._process is not None

    def answers(self) -> bool:
        """Whether it is still there."""
        return version_at(self.url) is not None

    def stop(self) -> None:
        """Ends it if it was started here, with the models that it holds; returns when it has gone."""
        if self._process is not None:
            atexit.unregister(self.stop)
            _end(self._process)


def connect(url: str, program: Path | None, check: Callable[[], None]) -> Daemon:
    """The daemon at `url`, or one that is started on this machine on a port of its own.

    None is started for a `url` that leads elsewhere. Raises JobFailed(engine) where there is none.
    """
    version = version_at(url)
    if version is not None:
        return Daemon(url, version)
    if not is_here(url):
        raise JobFailed(
            f"no Ollama daemon answers at {url}, which OLLAMA_HOST names",
            hint="Start it there, or unset OLLAMA_HOST to have one started on this machine.",
        )
    if program is None:
        raise JobFailed(f"no Ollama daemon answers at {url}, and there is no `ollama` to start", hint=INSTALL_HINT)
    return start(program, check)


def start(program: Path, check: Callable[[], None]) -> Daemon:
    """A daemon of our own, on a free port of the loopback; `check` is called while it comes up."""
    for tries_left in reversed(range(TRIES)):
        url = f"http://{LOOPBACK}:{_free_port()}"
        log = _opened_log()
        began = log.stat().st_size
        process = _launch(program, url, log)
        try:
            version = _awaited(url, process, check)
        except BaseException:
            _end(process)
            raise
        if version is not None:
            daemon = Daemon(url, version, process)
            atexit.register(daemon.stop)
            return daemon
        _end(process)
        if not tries_left:
            raise JobFailed(f"`{program} serve` did not come up: {_last_words(log, began)}", hint=f"Its log is {log}.")
    raise AssertionError("unreachable")


def _launch(program: Path, url: str, log: Path) -> subprocess.Popen[bytes]:
    own = {"OLLAMA_HOST": url.removeprefix("http://")}
    kept = {"OLLAMA_NOPRUNE": "1"}  # a daemon that starts would throw away what was fetched of a model
    guard = Path(__file__).with_name("guard.py")
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(guard), str(program), "serve"],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            env={**kept, **settings.child_environment(), **own},
        )


def _awaited(url: str, process: subprocess.Popen[bytes], check: Callable[[], None]) -> str | None:
    """Its version as soon as it answers; None where it ended, or said nothing for too long."""
    until_s = SYSTEM.elapsed() + START_TIMEOUT_S
    while process.poll() is None and SYSTEM.elapsed() < until_s:
        check()
        version = version_at(url)
        if version is not None:
            return version
        SYSTEM.sleep(_PAUSE_S)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(LEAVE_WITHIN_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _opened_log() -> Path:
    """The log, emptied when it has grown long."""
    log = log_file()
    log.parent.mkdir(parents=True, exist_ok=True)
    long = log.exists() and log.stat().st_size > MAX_LOG_BYTES
    log.open("wb" if long else "ab").close()
    return log


def _last_words(log: Path, began: int) -> str:
    with log.open("rb") as stream:
        stream.seek(began)
        lines = stream.read(MAX_LOG_BYTES).decode(errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else "it said nothing"


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
