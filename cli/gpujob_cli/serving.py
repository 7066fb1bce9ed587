"""Serves jobs on this machine while somebody waits for them, so that the first try needs nothing set up.

The worker is a process of its own and goes through the bucket like any other. Invariant: when all jobs that it was
started for have ended it is told to leave, and where the person detaches it leaves by itself once it is idle.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpujob.chance import token
from gpujob.errors import Configuration, LocalDisk
from gpujob.records import Manifest, Presence
from gpujob.settings import TRUST_SUBMITTERS, environment, state_dir
from gpujob.specs.quantities import format_duration
from gpujob.why import Reason, obstacle
from gpujob_cli.output import Line
from gpujob_cli.session import Session

if TYPE_CHECKING:
    from gpujob.signing.identity import Identity

IDLE_EXIT = "30s"
LEAVE_WITHIN_S = 10.0
FALLBACK_AFTER_S = 120.0
MODEL_OF = {"tts.narrate": "kokoro"}


class LocalWorker:
    """A worker process on this machine, for some kinds of one store, or for certain jobs alone."""

    def __init__(self, session: Session, kinds: Collection[str], jobs: Collection[str] = ()) -> None:
        self.log = _log_file()
        self._name = f"local-{token()[:6]}"
        command = [sys.executable, "-m", "gpujob_worker", "--store", session.url, "--idle-exit", IDLE_EXIT]
        command += ["--id", self._name]
        command += ["--kinds", ",".join(sorted(kinds))]
        command += ["--profile", session.profile] if session.profile else []
        for job_id in jobs:
            command += ["--job", job_id]
        with self.log.open("wb") as log:
            # A session of its own: a Ctrl-C that is meant for us must not reach the job.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(**whose_jobs(session.identity)),
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def said(self, workers: Collection[tuple[Presence, float]]) -> Presence | None:
        """What it says of itself, if it is among these yet."""
        return next((worker for worker, _ in workers if worker.id.startswith(f"{self._name}-")), None)

    def check(self) -> None:
        """Raises Configuration, with its own last words, where it could not serve."""
        if not self.alive and self.process.returncode != 0:
            raise Configuration(
                f"the worker on this machine ended with exit code {self.process.returncode}: {self._last_words()}",
                hint=f"Its log is {self.log}.",
            )

    def leave(self) -> None:
        """Lets it finish and go; returns when it has gone."""
        if self.alive:
            self.process.terminate()
        try:
            self.process.wait(LEAVE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with suppress(OSError):
            self.log.unlink()

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        told = [line for line in lines if re.search(r"error:|not served here", line)] or lines[-1:]
        return "; ".join(line.strip() for line in told) or "it said nothing"


def whose_jobs(identity: Identity) -> dict[str, str]:
    """The variables by which a worker that signs with this user's key runs this user's jobs alone, where nobody is named."""
    if identity.key is None or identity.submitters:
        return {}
    return {TRUST_SUBMITTERS: identity.key.public.text}


class Serving:
    """Takes care that somebody on this machine does the jobs of some kinds, where nobody else does."""

    def __init__(self, session: Session, kinds: Collection[str]) -> None:
        self._session = session
        self._kinds = frozenset(kinds)
        self._worker: LocalWorker | None = None
        self._unfit = False

    def prepare(self) -> None:
        """Starts a worker unless one lives. Before a job is submitted: raises Configuration where none could serve."""
        live = self._session.store.workers()
        served = {
            kind for worker, _ in live if worker.state != "draining" and not worker.control for kind in worker.kinds
        }
        if self._kinds <= served:
            return
        for kind in sorted(self._kinds - served):
            require_executor(kind)
            fetch_model(self._session, kind)
        self._start()

    def attend(self, only: Manifest | None = None) -> Line | None:
        """Nobody lives who could do the jobs: sees to it that a worker here will, and says so; None where it cannot.

        `only` is the one job that is left, where there is but one.
        """
        if self._unfit:
            return None
        if self._worker is not None and not self._worker.alive:
            self._worker.check()
            self._worker = None
        if self._worker is None:
            self._start()
        elif only is not None and (lack := self._lack(self._worker, only)) is not None:
            self._unfit = True
            self.dismiss()
            self._session.out.warn(f"this machine cannot do it: {lack.text}. {lack.hint}".strip())
            return None
        return Line("a worker is starting on this machine")

    def _lack(self, worker: LocalWorker, manifest: Manifest) -> Reason | None:
        """What the worker here lacks for a job; None where nothing is known yet, or nothing is lacking."""
        said = worker.said(self._session.store.workers())
        if said is None:
            return None
        found = obstacle(manifest, [said.model_copy(update={"kinds": (manifest.kind,)})])
        return found if found is not None and found.code == "no_worker_fits" else None

    def relax(self) -> None:
        """Somebody lives who can do the jobs."""

    def dismiss(self) -> None:
        """All jobs have ended: tells the worker to leave, and does not wait for that."""
        if self._worker is not None and self._worker.alive:
            self._worker.process.terminate()

    def leave(self) -> None:
        """All jobs have ended: returns when the worker has gone."""
        if self._worker is not None:
            self._worker.leave()
            self._worker = None

    def stay(self) -> str:
        """The person leaves, the job goes on: a sentence about who does it."""
        if self._worker is None or not self._worker.alive:
            return ""
        return (
            f"a worker on this machine (process {self._worker.process.pid}) goes on with it and leaves when it is idle"
        )

    def _start(self) -> None:
        self._worker = LocalWorker(self._session, self._kinds)
        self._session.out.say(
            f"no live worker, so this machine does it: a worker serves {', '.join(sorted(self._kinds))}"
        )


class Fallback(Serving):
    """Does certain jobs on this machine once nobody else could for a while, through the same protocol as any worker."""

    def __init__(self, session: Session, jobs: Mapping[str, str], after_s: float) -> None:
        """`jobs` are the kinds by the ids of the jobs; `after_s` is how long nobody has to be there first."""
        super().__init__(session, set(jobs.values()))
        self._jobs = jobs
        self._after_s = after_s
        self._alone_since_s: float | None = None
        self._refusal = ""

    def attend(self, only: Manifest | None = None) -> Line | None:
        """Nobody lives who could do the jobs: after the time that was agreed on, this machine does."""
        now_s = self._session.store.runtime.elapsed()
        if self._alone_since_s is None:
            self._alone_since_s = now_s
        left_s = self._alone_since_s + self._after_s - now_s
        if self._refusal or self._unfit:
            return None
        if left_s > 0:
            text = "no live worker; this machine does it"
            return Line(f"{text} in {format_duration(max(1.0, round(left_s)))}", lasting=text)
        try:
            return super().attend(only)
        except Configuration as error:
            self._refusal = error.message
            self._session.out.warn(f"{error.message}. Going on to wait for another worker. {error.hint or ''}".strip())
            return None

    def relax(self) -> None:
        """Somebody lives who can do the jobs: the time starts anew."""
        if self._worker is None:
            self._alone_since_s = None

    def _start(self) -> None:
        for kind in sorted(self._kinds):
            require_executor(kind)
            fetch_model(self._session, kind)
        self._worker = LocalWorker(self._session, self._kinds, tuple(self._jobs))
        what = "it" if len(self._jobs) == 1 else f"these {len(self._jobs)} jobs"
        self._session.out.say(f"no live worker for {format_duration(self._after_s)}, so this machine does {what}")


def fallback_of(
    session: Session, jobs: Mapping[str, Manifest | None], *, for_all: bool = False, after_s: float | None = None
) -> Fallback | None:
    """The fallback that these jobs ask for, or that is wanted `for_all` of them; None where nobody asks.

    It comes after `after_s`, or where nobody says so after the longest time that one of the jobs asks for.
    """
    asked = {
        job_id: manifest
        for job_id, manifest in jobs.items()
        if manifest is not None and (for_all or manifest.spec.get("fallback") == "local")
    }
    if not asked:
        return None
    if after_s is None:
        after_s = max(map(_own_time_s, asked.values()))
    return Fallback(session, {job_id: manifest.kind for job_id, manifest in asked.items()}, after_s)


def _own_time_s(manifest: Manifest) -> float:
    after_s = manifest.spec.get("fallback_after")
    return float(after_s) if isinstance(after_s, int | float) else FALLBACK_AFTER_S


def require_executor(kind: str) -> None:
    """Raises Configuration, with the reason and the remedy, where this machine cannot do jobs of a kind."""
    executor = _executor_for(kind)
    if executor is None:
        raise Configuration(
            f"no live worker serves {kind}, and nothing that is installed here can",
            hint="Submit it without --wait, and start a worker that serves it.",
        )
    readiness = executor.readiness()
    if not readiness.ready:
        raise Configuration(
            f"no live worker, and this machine cannot do {kind}: {readiness.reason}", hint=readiness.hint or None
        )


def _executor_for(kind: str) -> Any:
    """An installed executor for the kind, found as the worker finds it; one that does not load does not count."""
    for point in entry_points(group="gpujob.executors"):
        with suppress(Exception):
            executor: Any = point.load()()
            if kind in executor.kinds:
                return executor
    return None


def fetch_model(session: Session, kind: str) -> None:
    """Fetches the model that a kind needs, with progress, before a job waits for it. Returns at once where it is here."""
    name = MODEL_OF.get(kind)
    if name is None:
        return
    from gpujob import models
    from gpujob.specs import format_size

    if models.installed():
        return
    size = format_size(models.describe(name).size_bytes)
    session.out.say(f"fetching the model {name} ({size}), once")

    def progress(done_bytes: int, total_bytes: int, what: str) -> None:
        share = done_bytes / total_bytes if total_bytes else None
        session.out.status(Line(f"fetching {what}", share, f"{format_size(done_bytes)} of {format_size(total_bytes)}"))

    models.ensure(name, progress=progress)


def _log_file() -> Path:
    folder = state_dir() / "workers"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalDisk(f"cannot write {folder}: {error.strerror}", hint="Make it writable.") from error
    return folder / f"{token()}.log"
