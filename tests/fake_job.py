"""A job context without a bucket. It raises on every misuse of the seam between worker and executor."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from gpujob.errors import JobCancelled


class FakeCache:
    """Keeps payloads in a folder, by the canonical hash of the key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, tuple[bytes, str]] = {}
        self.hits = 0

    def get(self, key: Mapping[str, Any], target: Path) -> Mapping[str, Any] | None:
        assert target.parent.is_dir(), "the target's folder must exist"
        entry = self.entries.get(self._name(key))
        if entry is None:
            return None
        self.hits += 1
        target.write_bytes(entry[0])
        facts: Mapping[str, Any] = json.loads(entry[1])
        return facts

    def put(self, key: Mapping[str, Any], payload: Path, facts: Mapping[str, Any]) -> None:
        self.entries[self._name(key)] = (payload.read_bytes(), json.dumps(facts))

    @staticmethod
    def _name(key: Mapping[str, Any]) -> str:
        return hashlib.sha256(json.dumps(key, sort_keys=True, allow_nan=False).encode()).hexdigest()


class FakeJob:
    """One attempt. `artifacts` holds what was uploaded, as it was at that moment, in order."""

    id = "01fakejob"
    kind = "tts.narrate"
    files: Mapping[str, Path] = {}
    secrets: Mapping[str, str] = {}

    def __init__(
        self, folder: Path, job_input: Mapping[str, Any], *, attempt: int = 1, cache: FakeCache | None = None
    ) -> None:
        self.input = job_input
        self.attempt = attempt
        self.workdir = folder / f"attempt-{attempt}"
        self.cache = cache or FakeCache(folder)
        self.artifacts: dict[str, bytes] = {}
        self.media_types: dict[str, str] = {}
        self.reports: list[tuple[float, float, str]] = []
        self.slept_s = 0.0
        self.checks_left: int | None = None
        self.warnings: list[str] = []
        self.lines: list[str] = []
        self.partial = ""
        shutil.rmtree(self.workdir, ignore_errors=True)
        self.workdir.mkdir(parents=True)

    def progress(self, done: float, total: float, message: str = "", *, partial: str = "") -> None:
        assert 0 <= done <= total, f"progress {done} of {total}"
        assert not self.reports or done >= self.reports[-1][0], "progress goes backwards"
        self.reports.append((done, total, message))
        self.partial = partial

    def check(self) -> None:
        if self.checks_left is not None:
            if self.checks_left == 0:
                raise JobCancelled("the test cancelled the job")
            self.checks_left -= 1

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.check()
        self.slept_s += seconds

    def artifact(self, name: str, path: Path, *, media_type: str) -> None:
        pure = PurePosixPath(name)
        assert not pure.is_absolute(), f"{name} is absolute"
        assert ".." not in pure.parts and str(pure) == name and "\\" not in name, f"{name} is not a plain name"
        assert name not in self.artifacts, f"{name} was uploaded twice"
        assert path.resolve().is_relative_to(self.workdir.resolve()), f"{path} is outside the attempt's folder"
        assert "/" in media_type
        self.artifacts[name] = path.read_bytes()
        self.media_types[name] = media_type

    def log(self, text: str) -> None:
        assert text and "\n" not in text
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def unheard(done: float, total: float, message: str) -> None:
    """A report of loading that nobody listens to."""
