"""The `echo` executor: no model, for trying a queue out, for tests and benchmarks.

Invariant: an artifact's bytes follow from its name and size alone, so that its checksum is known beforehand.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from gpujob.errors import JobFailed
from gpujob_worker.executor import Engine, Executor, JobContext, Outcome

_TENTHS = 10
_BLOCK_BYTES = 1 << 20


def artifact_chunks(name: str, size_bytes: int) -> Iterator[bytes]:
    """The bytes of the artifact of that name and size, a mebibyte at a time (SHAKE-128 of the name and the block's number)."""
    for number, start in enumerate(range(0, size_bytes, _BLOCK_BYTES)):
        seed = f"{name}\n{number}".encode()
        yield hashlib.shake_128(seed).digest(min(_BLOCK_BYTES, size_bytes - start))


def artifact_bytes(name: str, size_bytes: int) -> bytes:
    """The same in one piece."""
    return b"".join(artifact_chunks(name, size_bytes))


@functools.cache
def _version() -> str:
    return importlib.metadata.version("gpujob")


class EchoExecutor(Executor):
    """Sleeps, makes files, fails if told to, and gives the message back. In that order."""

    kinds: ClassVar[tuple[str, ...]] = ("echo",)
    isolated: ClassVar[bool] = False

    def run(self, job: JobContext) -> Outcome:
        _sleep(job, float(job.input.get("sleep") or 0.0))
        for number, artifact in enumerate(job.input.get("artifacts") or []):
            job.check()
            path = job.workdir / f"artifact-{number}"
            _write(path, str(artifact["name"]), int(artifact["bytes"]))
            job.artifact(str(artifact["name"]), path, media_type="application/octet-stream")
        _fail_if_told(job)
        engine = Engine(name="echo", version=_version())
        return Outcome({"message": job.input.get("message")}, engine)


def _sleep(job: JobContext, seconds: float) -> None:
    for tenth in range(_TENTHS if seconds > 0 else 0):
        job.progress(tenth, _TENTHS, "sleeping")
        job.sleep(seconds / _TENTHS)
    job.progress(_TENTHS, _TENTHS, "")


def _write(path: Path, name: str, size_bytes: int) -> None:
    with path.open("wb") as stream:
        for block in artifact_chunks(name, size_bytes):
            stream.write(block)


def _fail_if_told(job: JobContext) -> None:
    text = job.input.get("fail")
    attempts = job.input.get("fail_attempts")
    if text and (attempts is None or job.attempt <= attempts):
        raise JobFailed(str(text), type="engine", hint="the job asked for this failure")
