"""The seam between the worker and what it runs.

An executor is one class. A package of yours names it under the entry point group `gpujob.executors`, and the worker
finds it. The worker makes one instance per process, calls `load` before the first job (so a model is loaded once)
and `run` for each attempt. `run` computes; claiming, beating, uploading and committing are the worker's affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True)
class Readiness:
    """Whether an executor can serve on this machine, and if not, why and what to do."""

    ready: bool
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Engine:
    """What really computed: recorded in the result."""

    name: str
    version: str
    model: str = ""
    revision: str = ""
    device: str = "cpu"


@dataclass
class Outcome:
    """What an attempt gives back. `output` is JSON and must fit in the result (256 KiB); files go through `job.artifact`."""

    output: Mapping[str, Any]
    engine: Engine | None = None
    warnings: list[str] = field(default_factory=list)


class StepCache(Protocol):
    """Results of single steps, by content, kept in the bucket and shared by all workers of the queue."""

    def get(self, key: Mapping[str, Any], target: Path) -> Mapping[str, Any] | None:
        """Fetches the payload of an earlier equal step into `target` and returns its facts; None where there is none.

        `key` is JSON that says all that the result depends on; its canonical hash addresses the entry.
        The payload's sha256 is checked on the way.
        """
        ...

    def put(self, key: Mapping[str, Any], payload: Path, facts: Mapping[str, Any]) -> None:
        """Keeps a step's payload and facts for later attempts and jobs. Best effort: never fails the job."""
        ...


class JobContext(Protocol):
    """One attempt, as its executor sees it."""

    id: str
    kind: str
    input: Mapping[str, Any]  # the spec's `input`, validated, with defaults filled in
    attempt: int
    files: Mapping[str, Path]  # the job's input files, already fetched and verified
    workdir: Path  # an empty folder of this attempt's own; removed afterwards
    cache: StepCache

    def progress(self, done: float, total: float, message: str = "", *, partial: str = "") -> None:
        """Reports how far the attempt is; travels with the next beat."""
        ...

    def check(self) -> None:
        """Raises JobStopped when the job was cancelled, timed out, or its lease was lost. Call it often."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits, and raises JobStopped as soon as the job has to stop."""
        ...

    def artifact(self, name: str, path: Path, *, media_type: str) -> None:
        """Uploads a file under `name` (a relative POSIX path) at once and records its size and sha256."""
        ...

    def log(self, text: str) -> None:
        """Adds a line to the job's log."""
        ...

    def warn(self, text: str) -> None:
        """Adds a warning to the result."""
        ...


class Executor(Protocol):
    """What a plug-in implements."""

    kinds: ClassVar[tuple[str, ...]]  # the job kinds it serves, such as ("tts.narrate",)

    def readiness(self) -> Readiness:
        """Cheap: are the libraries and models here? Called at start; a kind that is not ready is not served."""
        ...

    def load(self) -> None:
        """Loads models; called once, before the first job. Raises JobFailed(model_not_found) where it cannot."""
        ...

    def run(self, job: JobContext) -> Outcome:
        """Computes one attempt. Raise JobFailed for a failure with a type; anything else counts as type `engine`."""
        ...
