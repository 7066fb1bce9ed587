"""One attempt, from an owned lease to its end: run, then commit, put back for a retry, give back, or drop.

The error that ends a run decides what is written, in one place: `_conclude`. Whoever finds the lease lost on the way
writes nothing more.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import traceback
from asyncio import CancelledError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gpujob import inputs
from gpujob.cache import BucketStepCache, Mode
from gpujob.decisions import may_retry
from gpujob.errors import (
    GpujobError,
    JobCancelled,
    JobExpired,
    JobFailed,
    JobReleased,
    LeaseLost,
    LocalDisk,
)
from gpujob.fetching import Check
from gpujob.protocol.claim import settle
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.results import ended, queue_s
from gpujob.records import MAX_RECORD_BYTES, JobError, Progress, Result, Timings, canonical_json
from gpujob.redaction import Redactor

from .checking import check_input
from .context import AttemptContext
from .executor import Executor, Outcome, Report
from .job_errors import job_error

log = logging.getLogger("gpujob.worker")

Ending = Literal["succeeded", "failed", "expired", "retry", "released", "dropped"]
MAX_OUTPUT_BYTES = 256 * 1024
MARGIN_BYTES = 1024  # for a signature


@dataclass(frozen=True)
class Crew:
    """What an attempt needs from its worker."""

    load: Callable[[Mapping[str, Any], Report], Executor]  # the executor, warm for an input
    identity: Mapping[str, Any]  # recorded in the result
    leaving: Callable[[], bool]  # whether the job has to be given back
    secrets: Callable[[Sequence[str]], Mapping[str, str]] = lambda names: {}  # their values, by name
    bring: Callable[[Path, Check], None] = lambda folder, check: None  # moves there what was fetched ahead
    overlap: bool = False  # whether files go up beside the work
    scratch: Path | None = None  # where the working folders go; the system's temporary folder by default


class Attempt:
    """Runs one held job to its end: `work`, then `finish`, which may be called from another thread.

    Neither raises anything but what ends the process.
    """

    def __init__(self, held: HeldLease, crew: Crew) -> None:
        self.held = held
        self.crew = crew
        self.load_s = 0.0
        self.run_s = 0.0
        self.context: AttemptContext | None = None
        self._computed_s: float | None = None  # when the run was over
        self._workdir: Path | None = None
        self._outcome: Outcome | Exception | None = None

    def run(self) -> Ending:
        """The whole attempt; returns how it ended."""
        self.work()
        return self.finish()

    def work(self) -> None:
        """Computes. What came of it is kept for `finish`."""
        try:
            self._outcome = self._compute()
        except Exception as error:  # noqa: BLE001 - whatever ends a run is recorded as its error
            self._outcome = error
        except (SystemExit, CancelledError) as error:
            trace = "".join(traceback.format_exception(error))
            self._outcome = JobFailed(f"the executor raised {type(error).__name__}", traceback=trace)

    @property
    def uploading(self) -> bool:
        """Whether the work is done, and only files are still on their way."""
        return isinstance(self._outcome, Outcome) and self.context is not None and self.context.uploads.pending

    def finish(self) -> Ending:
        """Sees the files into the bucket and writes what the work came to; returns how the attempt ended."""
        try:
            return self._concluded()
        except (LeaseLost, LocalDisk) as error:  # a folder store whose disk is full takes no result: the lease runs out
            log.warning("dropped %s: %s", self.held.id, error)
            return "dropped"
        finally:
            if self.context is not None:
                self.context.uploads.abandon()
            self.held.close()
            if self._workdir is not None:
                shutil.rmtree(self._workdir, ignore_errors=True)

    def _concluded(self) -> Ending:
        try:
            result = self._result()
        except Exception as error:  # noqa: BLE001 - as in `work`
            self._flush_log(error)
            return self._conclude(error)
        return "succeeded" if settle(self.held, result) else "dropped"

    def _result(self) -> Result:
        context, outcome = self.context, self._outcome
        if isinstance(outcome, Exception):
            raise outcome
        assert outcome is not None and context is not None
        context.uploads.finish()
        context.check()
        context.logs.flush()
        return self._success(outcome, context)

    def _compute(self) -> Outcome:
        started_s = self._elapsed()
        try:
            context, executor = self._prepare()
        finally:
            self.load_s = self._elapsed() - started_s
        started_s += self.load_s
        try:
            return executor.run(context)
        finally:
            context.computed()
            self._computed_s = self._elapsed()
            self.run_s = self._computed_s - started_s - context.uploads.seconds

    def _prepare(self) -> tuple[AttemptContext, Executor]:
        self.held.report(Progress(phase="load", message="loading"))
        self._workdir = _folder(self.crew.scratch)
        self.context = context = self._context(self._workdir)
        context.files = self._inputs(self._workdir / "inputs", context.check)
        executor = self.crew.load(context.input, context.loading)
        self.held.report(Progress())
        context.check()
        return context, executor

    def _context(self, workdir: Path) -> AttemptContext:
        held = self.held
        check_input(held.manifest)
        (workdir / "work").mkdir()
        mode = _cache_mode(held.manifest.spec.get("cache"))
        return AttemptContext(
            held,
            workdir=workdir / "work",
            cache=BucketStepCache(held.ctx, mode),
            leaving=self.crew.leaving,
            secrets=self.crew.secrets(held.manifest.secrets),
            outbox=workdir / "outbox" if self.crew.overlap else None,
        )

    def _inputs(self, folder: Path, check: Check) -> dict[str, Path]:
        self.crew.bring(folder, check)
        return inputs.fetch(self.held.ctx.bucket, self.held.manifest.files, folder, check=check)

    def _success(self, outcome: Outcome, context: AttemptContext) -> Result:
        redact = context.redactor
        output = redact.json(dict(outcome.output))
        if len(canonical_json(output)) > MAX_OUTPUT_BYTES:
            raise JobFailed(f"the output is larger than {MAX_OUTPUT_BYTES // 1024} KiB", retryable=False)
        result = ended(
            self.held.record,
            "succeeded",
            now=self.held.ctx.store_now(),
            output=output,
            engine=redact.json(asdict(outcome.engine)) if outcome.engine else {},
            warnings=(*self.held.manifest.warnings, *context.warnings, *map(redact.text, outcome.warnings)),
            artifacts=tuple(context.uploads.made),
            log_chunks=context.logs.chunks,
            worker=dict(self.crew.identity),
            timings=self._timings(),
        )
        if len(result.body()) > MAX_RECORD_BYTES - MARGIN_BYTES:
            raise JobFailed(
                f"the result would be larger than {MAX_RECORD_BYTES // 2**20} MiB, and nobody would read it: "
                f"{len(result.artifacts)} files, {len(result.warnings)} warnings",
                retryable=False,
                hint="Split the job.",
            )
        return result

    def _timings(self) -> Timings:
        return Timings(
            queue=round(queue_s(self.held.record), 3),
            load=round(self.load_s, 3),
            run=round(self.run_s, 3),
            upload=round(self._upload_s(), 3),
        )

    def _upload_s(self) -> float:
        """What the run has waited for its files, and all that has passed since it was over."""
        if self.context is None or self._computed_s is None:
            return 0.0
        return self.context.uploads.seconds + self._elapsed() - self._computed_s

    def _elapsed(self) -> float:
        return self.held.ctx.runtime.elapsed()

    # -- endings other than success

    def _conclude(self, error: Exception) -> Ending:
        if isinstance(error, (JobCancelled, LeaseLost)):
            log.info("dropped %s: %s", self.held.id, error)
            return "dropped"
        if isinstance(error, JobReleased):
            self.held.release()
            return "released"
        if isinstance(error, JobExpired):
            return self._end("expired", None)
        redact = self.context.redactor if self.context is not None else Redactor({})
        return self._failed(job_error(error, self.held.record.attempt, redact))

    def _failed(self, error: JobError) -> Ending:
        log.warning("attempt %d of %s failed: %s", self.held.record.attempt, self.held.id, error.message)
        if may_retry(self.held.record, error):
            self.held.fail(error)
            return "retry"
        return self._end("failed", error)

    def _end(self, state: Literal["failed", "expired"], error: JobError | None) -> Ending:
        more: dict[str, Any] = {}
        if self.context is not None:
            more = {"warnings": tuple(self.context.warnings), "log_chunks": self.context.logs.chunks}
        result = ended(
            self.held.record,
            state,
            now=self.held.ctx.store_now(),
            error=error,
            worker=dict(self.crew.identity),
            timings=self._timings(),
            **more,
        )
        return state if settle(self.held, result) else "dropped"

    def _flush_log(self, error: Exception) -> None:
        if self.context is not None and self.held.trusted():
            if not isinstance(error, GpujobError):
                self.context.log("".join(traceback.format_exception(error)))
            self.context.logs.flush()


def _folder(scratch: Path | None) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="gpujob-", dir=scratch))
    except OSError as error:
        raise LocalDisk(f"this worker cannot make a working folder: {error}", hint="Is its disk full?") from error


def _cache_mode(word: object) -> Mode:
    """What the spec says of the cache; nothing it could mean is `auto`."""
    return "refresh" if word == "refresh" else "off" if word == "off" else "auto"
