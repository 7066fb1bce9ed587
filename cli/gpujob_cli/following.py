"""Follows jobs to their ends: shows how they stand, downloads their files, and sums up with an exit code.

Ctrl-C detaches: the jobs go on, and the line printed says how to come back to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gpujob.errors import GpujobError, Unavailable
from gpujob.records import Manifest, Result
from gpujob.specs import format_duration
from gpujob.why import Reason
from gpujob_cli import shapes
from gpujob_cli.collecting import Target, collect
from gpujob_cli.endings import summary, trouble
from gpujob_cli.errors import END_CODES, INTERRUPTED, TIMED_OUT, NoWorker, Report, explain, worst
from gpujob_cli.output import Line
from gpujob_cli.serving import Serving
from gpujob_cli.session import Session
from gpujob_cli.watching import NOBODY, Watch

MOST_NAMED = 20


@dataclass(frozen=True)
class Wishes:
    """What the person who waits wants."""

    target: Target | None = None
    timeout_s: float | None = None
    worker_timeout_s: float | None = None
    first_only: bool = False
    print_states: bool = False


class Follower:
    """Follows some jobs for a person. `answer` may be replaced by a command that prints something else."""

    def __init__(
        self, session: Session, jobs: Mapping[str, Manifest | None], wishes: Wishes, serving: Serving | None = None
    ):
        self.session = session
        self.wishes = wishes
        self.results: dict[str, Result] = {}
        self.files: dict[str, list[Path]] = {}
        self._serving = serving
        self._several = len(jobs) > 1
        self._watch = Watch(
            session, jobs, worker_timeout_s=wishes.worker_timeout_s, on_reason=self._attend if serving else None
        )

    def follow(self) -> int:
        """Waits for all jobs (or the first); returns the exit code."""
        codes: list[int] = []
        try:
            for job_id, end in self._watch.ends(timeout_s=self.wishes.timeout_s):
                if not self._watch.waiting and self._serving is not None:
                    self._serving.dismiss()
                codes.append(self._ended(job_id, end))
                if self.wishes.first_only and not isinstance(end, GpujobError):
                    break
        except KeyboardInterrupt:
            return self._detached()
        except TimeoutError:
            codes.append(self._timed_out())
        except NoWorker as error:
            codes.append(self._told(explain(error)))
        except Unavailable as error:
            raise Unavailable(error.message, hint=f"The jobs go on. {self._come_back()}") from error
        if self._serving is not None and not self._watch.waiting:
            self._serving.leave()
        return worst(codes)

    def answer(self, result: Result, files: list[Path]) -> None:
        """Prints what came of one job, on stdout."""
        if self.wishes.target is None and self.wishes.print_states:
            out = self.session.out
            out.answer(result.id if out.quiet else f"{result.id}  {result.state}")
        for path in files:
            self.session.out.answer(path)

    # -- one job

    def _ended(self, job_id: str, end: Result | GpujobError) -> int:
        if isinstance(end, GpujobError):
            return self._told(explain(end))
        self.results[job_id] = end
        code = END_CODES[end.state]
        files: list[Path] = []
        try:
            if self.wishes.target is not None and end.artifacts:
                files = collect(self.session, end, self.wishes.target, several=self._several)
        except GpujobError as error:
            code = worst([code, self._told(explain(error))])
        self.files[job_id] = files
        self._tell(end, files, several=self._several)
        return code

    def _tell(self, result: Result, files: list[Path], *, several: bool) -> None:
        out = self.session.out
        prefix = f"{result.id}: " if several else ""
        for warning in result.warnings:
            out.warn(f"{prefix}{warning}")
        if result.state == "succeeded":
            out.say(prefix + summary(result, verified=bool(files)), style="good")
        else:
            self._told(trouble(result, self.session))
        if out.json:
            out.answer_json(shapes.of_result(result, files=files if self.wishes.target is not None else None))
        else:
            self.answer(result, files)

    def _told(self, report: Report) -> int:
        return self.session.tell(report)

    # -- leaving early

    def _attend(self, reason: Reason) -> Line | None:
        if self._serving is None:
            return None
        if reason.code not in NOBODY:
            self._serving.relax()
            return None
        return self._serving.attend(self._watch.only)

    def _detached(self) -> int:
        out = self.session.out
        out.close()
        stays = self._serving.stay() if self._serving is not None else ""
        going = "the jobs go on" if len(self._watch.waiting) > 1 else "the job goes on"
        return self._told(Report("Detached", INTERRUPTED, f"detached; {stays or going}", self._come_back(), label=""))

    def _timed_out(self) -> int:
        after = format_duration(self.wishes.timeout_s or 0.0)
        left = len(self._watch.waiting)
        what = f"{left} jobs have" if left > 1 else "the job has"
        goes = "they go on" if left > 1 else "it goes on"
        return self._told(Report("TimedOut", TIMED_OUT, f"{what} not ended after {after}; {goes}", self._come_back()))

    def _come_back(self) -> str:
        ids = list(self._watch.waiting)
        named, more = (" ".join(ids), 0) if len(ids) <= MOST_NAMED else (ids[0], len(ids) - 1)
        wait, cancel = self.session.command(f"wait {named}"), self.session.command(f"cancel {named}")
        others = f" There are {more} more: `{self.session.command('ls')}` lists them." if more else ""
        return f"`{wait}` re-attaches, `{cancel}` ends {'them' if len(ids) > 1 and not more else 'it'}.{others}"
