"""The stores to measure on: a folder, or a server that is started for the run and ended after it.

Invariant: nothing of the person who runs this is read or written: every queue is a fresh one in a folder or on a server
of our own, and the variables that lead to the server are set for this process and its children only.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from localstack import programs, servers

from gpujob import queue
from gpujob.buckets.opening import open_bucket
from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.protocol.context import Context
from gpujob.records import QueueConfig
from gpujob.store import open_store

from .figures import LeftOut
from .machine import filesystem_of

SERVERS = ("minio", "seaweedfs")
NAMES = ("folder", *SERVERS)


@dataclass(frozen=True)
class Place:
    """A store that is up. `env` leads to it, and `version` says what it is."""

    name: str
    base: str
    version: str
    env: Mapping[str, str] = field(default_factory=dict)

    def queue(self, label: str) -> str:
        """The URL of a fresh queue."""
        url = f"{self.base}/{label}"
        if self.name == "folder":
            open_store(url)
        else:
            context = Context(open_bucket(url), SYSTEM, system_random())
            queue.save(context, QueueConfig(created_at=SYSTEM.now()))
        return url


@contextmanager
def opened(name: str) -> Iterator[Place]:
    """The store `name` for the length of the block; `LeftOut` where this machine has no such server."""
    if name == "folder":
        with tempfile.TemporaryDirectory(prefix="gpujob-bench-") as folder:
            yield Place(name, Path(folder).as_uri(), f"gpujob's folder store on {filesystem_of(Path(folder))}")
        return
    try:
        server = servers.start(name)
    except programs.Missing as error:
        raise LeftOut(str(error)) from error
    env = server.environment()
    try:
        with _environment(env):
            yield Place(name, env["GPUJOB_STORE"], _version(server.program), env)
    finally:
        server.stop()


def _version(program: Path) -> str:
    """The first line of what the server says of its version; one built from source says nothing of use."""
    words = [str(program), "version"] if program.name == "weed" else [str(program), "--version"]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
    line = said[0].strip() if said else program.name
    return f"built from {programs.MINIO_MODULE}" if "DEVELOPMENT" in line else f"{program.name} {line}"


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
