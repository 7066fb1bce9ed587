"""What an executor raises becomes the job's error, however odd it is: the worker lives on and does the next job."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from gpujob import JobStore
from gpujob.buckets.memory import MemoryBucket
from gpujob.errors import JobFailed, Unavailable
from gpujob.redaction import Redactor
from gpujob.specs import parse_object
from gpujob_worker import Limits, Worker
from gpujob_worker.executor import Executor, JobContext, Outcome
from gpujob_worker.job_errors import job_error

HALF = "\ud83d"  # the first half of a character that takes two in UTF-16
ODD: Any = None


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Uncertain:
    def __bool__(self) -> bool:
        raise ValueError("neither")


class Unfinished(JobFailed):
    """A plug-in's own error that does not call its base."""

    def __init__(self) -> None:
        pass


class Raiser(Executor):
    """Warns of no text, and does what the test wants."""

    kinds: ClassVar[tuple[str, ...]] = ("test.raise",)

    def __init__(self, *raised: BaseException) -> None:
        self.raised = list(raised)

    def run(self, job: JobContext) -> Outcome:
        job.warn(["no text"])  # type: ignore[arg-type]
        if self.raised:
            raise self.raised.pop(0)
        return Outcome({})


ERRORS: dict[str, Callable[[], BaseException]] = {
    "a type that is none": lambda: JobFailed("x", type="network"),
    "a type that is a list": lambda: JobFailed("x", type=[ODD]),  # type: ignore[arg-type]
    "no message": lambda: JobFailed(ODD),
    "half a character": lambda: JobFailed(HALF, hint=HALF, traceback=HALF),
    "a hint that is a number": lambda: JobFailed("x", hint=5),  # type: ignore[arg-type]
    "retryable by a word": lambda: JobFailed("x", retryable="no"),  # type: ignore[arg-type]
    "retryable who knows": lambda: JobFailed("x", retryable=Uncertain()),  # type: ignore[arg-type]
    "the store's, with a list for a hint": lambda: Unavailable("x", hint=["y"]),  # type: ignore[arg-type]
    "one that did not call its base": Unfinished,
    "one that fails at being written": Unspeakable,
    "one with half a character": lambda: ValueError(HALF),
    "an exit": lambda: SystemExit(3),
    "a cancelled task": CancelledError,
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
def test_an_odd_error_of_an_executor_ends_the_attempt_and_not_the_worker(error: Callable[[], BaseException]) -> None:
    store = JobStore(MemoryBucket())
    spec = {"kind": "test.raise", "input": {}, "retry": {"max_attempts": 1}}
    ids = [store.submit(parse_object(spec, known_kinds=Raiser.kinds)).id for _ in range(2)]
    worker = Worker(store, [Raiser(error())], worker_id="w", limits=Limits(max_jobs=2))
    worker.run()
    ended = {one.state: one for one in map(store.result, ids) if one is not None}
    assert set(ended) == {"failed", "succeeded"}
    assert ended["failed"].error is not None and ended["failed"].error.message
    assert ended["failed"].warnings == ended["succeeded"].warnings == ("['no text']",)


def test_what_an_executor_says_is_recorded_as_far_as_it_can_be() -> None:
    told = job_error(JobFailed("x" * 9000, type="network", hint="h" * 9000, retryable=False), 2, Redactor({}))
    assert (told.type, len(told.message), len(told.hint or ""), told.retryable) == ("engine", 4000, 4000, False)
    assert job_error(JobFailed(f"a{HALF}b"), 1, Redactor({})).message == "a?b"
    assert job_error(JobFailed(ODD, hint="top secret"), 1, Redactor({"S": "secret"})).hint == "top [secret S]"
