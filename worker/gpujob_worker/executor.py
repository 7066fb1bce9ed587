"""The seam between the worker and what it runs.

An executor is one class that derives from `Executor`. A package of yours names it under the entry point group
`gpujob.executors`, and the worker finds it. The worker keeps one instance, in a process of its own, and calls `load`
and then `run` for each attempt. `run` computes; claiming, beating, uploading and committing are the worker's affair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from gpujob.settings import Settings

Report = Callable[[float, float, str], None]  # done, total, message


@dataclass(frozen=True)
class Readiness:
    """Whether an executor can serve on this machine, and if not, why and what to do."""

    ready: bool
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Device:
    """Where an executor's work really runs, and what is wrong with that, if anything is."""

    name: str = ""  # cpu, cuda, nvenc; empty where it does not matter
    warning: str = ""


@dataclass(frozen=True)
class Engine:
    """What really computed: recorded in the result."""

    name: str
    version: str
    model: str = ""
    revision: str = ""
    device: str = "cpu"


@dataclass(frozen=True)
class Needs:
    """What the loaded models take, in bytes; other models make room for it. 0 where that is not known."""

    memory: int = 0
    gpu_memory: int = 0


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
    secrets: Mapping[str, str]  # those that the spec names, from the worker's environment
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


class Executor(ABC):
    """What a plug-in derives from: `kinds` and `run` are its own, the rest has defaults."""

    kinds: ClassVar[tuple[str, ...]]  # the job kinds it serves, such as ("tts.narrate",)
    needs: ClassVar[Needs] = Needs()
    isolated: ClassVar[bool] = True  # whether a crash is thinkable, so that it gets a process of its own
    ran_out: bool = False  # whether memory was too short for it the last time: all others leave before it loads again

    def configure(self, own: Settings) -> None:  # noqa: B027 - a default, not a duty
        """Takes over this worker's settings, with those of the profile that it was started with. Called before all else.

        In the executor's own process they stand in the environment too, where `gpujob.settings.load` finds them.
        """

    def readiness(self) -> Readiness:
        """Cheap: are the libraries and models here? Called at start; a kind that is not ready is not served."""
        return Readiness(True)

    def device(self) -> Device:
        """Where its work would really run, found by running something small. May take seconds; called once, at start."""
        return Device()

    def catalogue_models(self) -> tuple[str, ...]:
        """The models of gpujob's own catalogue that it would use here, best first; the bucket may have them already."""
        return ()

    def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
        """Makes ready what a job with the input `wanted` needs; returns the names of the models that are warm now.

        Called before each `run`, and at start with an empty `wanted`; cheap when all is warm. Call `report` often while
        it takes long: a job that has to stop is stopped there. Raises JobFailed(model_not_found) where it cannot.
        """
        return ()

    def is_warm(self) -> bool:
        """Whether what `load` has made ready is still there; it may have died. Cheap, and asked from other threads too."""
        return True

    def close(self) -> None:  # noqa: B027 - a default, not a duty
        """Ends what it has started beside itself, such as a daemon. Called when the worker leaves or needs the memory."""

    @abstractmethod
    def run(self, job: JobContext) -> Outcome:
        """Computes one attempt. Raise JobFailed for a failure with a type; anything else counts as type `engine`."""
