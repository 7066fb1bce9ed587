"""Waits for jobs: a GET of done/<id> each, often at first and then less; for many jobs one LIST of done/ instead.

Invariant: each job is told of once, when it has ended or cannot be read; nothing is written to the bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from gpujob import keys
from gpujob.errors import Busy, CorruptRecord, GpujobError, NotFound, Unavailable, Untrusted, WrongProtocol
from gpujob.protocol.listing import every_entry
from gpujob.protocol.status import Status, result_of, status
from gpujob.records import Manifest, Presence, Result
from gpujob.why import Reason, jobs_ahead, rivals
from gpujob_cli.errors import NoWorker
from gpujob_cli.output import Line
from gpujob_cli.progress import Pace, line_of, line_of_many
from gpujob_cli.session import Session

MANY = 20
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
LONGEST_LOCAL_PAUSE_S = 0.4
WORKERS_EVERY_S = 15.0
LOCAL_WORKERS_EVERY_S = 1.0
NOBODY = ("no_worker", "no_worker_for_kind", "no_worker_fits", "draining")

Ended = tuple[str, Result | GpujobError]


class Watch:
    """Looks at some jobs until they have ended, and says meanwhile how they stand."""

    def __init__(
        self,
        session: Session,
        jobs: Mapping[str, Manifest | None],
        *,
        worker_timeout_s: float | None = None,
        on_reason: Callable[[Reason], Line | None] | None = None,
    ) -> None:
        """`jobs` are ids with their manifests where they are known; `on_reason` hears why the first one waits,
        and may know better than the bucket what is being done about it.
        """
        self._session = session
        self._store = session.store
        self._ctx = self._store.context
        self._runtime = self._store.runtime
        self._manifests = dict(jobs)
        self.waiting = dict.fromkeys(jobs)
        self._seen: dict[str, Status] = {}
        self._found: set[str] = set()
        self._workers: list[tuple[Presence, float]] = []
        self._ahead: int | None = None
        self._looked_at_workers_s: float | None = None
        self._worker_timeout_s = worker_timeout_s
        self._alone_since_s: float | None = None
        self._on_reason = on_reason
        self._pace = Pace()

    @property
    def only(self) -> Manifest | None:
        """The one job that is left, where there is but one and it is known."""
        return self._manifests.get(next(iter(self.waiting))) if len(self.waiting) == 1 else None

    def ends(self, *, timeout_s: float | None = None) -> Iterator[Ended]:
        """Each job as it ends: its result, or the error that hides it.

        Raises TimeoutError when `timeout_s` ran out, NoWorker when there was nobody to do the job for as long as
        `worker_timeout_s` allows, and Unavailable when the store did not answer for longer than its patience.
        """
        until_s = None if timeout_s is None else self._runtime.elapsed() + timeout_s
        pause_s = FIRST_PAUSE_S
        while self.waiting:
            ended = self._round_with_patience()
            for job_id, end in ended:
                self.waiting.pop(job_id, None)
                yield job_id, end
            if not self.waiting:
                return
            self._tell()
            left_s = None if until_s is None else until_s - self._runtime.elapsed()
            if left_s is not None and left_s <= 0:
                raise TimeoutError
            pause_s = FIRST_PAUSE_S if ended else min(self._longest_pause_s, pause_s * 1.5)
            self._runtime.sleep(pause_s if left_s is None else min(pause_s, left_s))

    # -- looking

    def _round_with_patience(self) -> list[Ended]:
        give_up = self._ctx.patience(self._store.patience_s)
        pause_s = 1.0
        while True:
            try:
                return self._round()
            except (Unavailable, Busy) as error:
                if give_up():
                    raise
                self._session.out.status(f"the store does not answer ({error.message}); trying again")
            self._runtime.sleep(pause_s)
            pause_s = min(10.0, pause_s * 1.5)

    def _round(self) -> list[Ended]:
        if len(self.waiting) > MANY and not self._found:
            self._found = self._find_all()
        if self._by_listing:
            return [(job_id, self._read(job_id)) for job_id in self._listed_as_done()]
        found = ((job_id, self._look(job_id)) for job_id in list(self.waiting))
        return [(job_id, end) for job_id, end in found if end is not None]

    @property
    def _by_listing(self) -> bool:
        """Whether there are too many to ask for one by one; each was found once by then, so none is a wrong id."""
        return len(self.waiting) > MANY and all(one in self._found or one in self._seen for one in self.waiting)

    def _find_all(self) -> set[str]:
        """Those of the jobs that are somewhere, by listings alone."""
        smallest = min(self.waiting)
        found = set(self._listed_as_done())
        leased = every_entry(self._ctx, keys.LEASED, after=keys.leased(smallest)[: -len(".json")])
        found.update(job_id for entry in leased if (job_id := keys.parse_job(entry.key, keys.LEASED)) is not None)
        for priority in keys.LEVELS:
            prefix = keys.pending_prefix(priority)
            for entry in every_entry(self._ctx, prefix, after=prefix + smallest):
                if (where := keys.parse_pending(entry.key)) is not None:
                    found.add(where.id)
        return found & self.waiting.keys()

    def _look(self, job_id: str) -> Result | GpujobError | None:
        try:
            found = status(self._ctx, job_id, hint=self._manifests.get(job_id))
        except (CorruptRecord, WrongProtocol) as error:
            return error
        if found is None:
            return self._nowhere(job_id)
        self._seen[job_id] = found
        self._manifests[job_id] = found.manifest
        return None if found.result is None else self._believed(job_id, found.result)

    def _listed_as_done(self) -> list[str]:
        smallest = min(self.waiting)
        before = keys.done(smallest)[: -len(".json")]  # sorts just before the key itself
        listed = (keys.parse_job(entry.key, keys.DONE) for entry in every_entry(self._ctx, keys.DONE, after=before))
        return [job_id for job_id in listed if job_id in self.waiting and job_id is not None]

    def _read(self, job_id: str) -> Result | GpujobError:
        try:
            result = result_of(self._ctx, job_id)
        except (CorruptRecord, WrongProtocol) as error:
            return error
        return self._nowhere(job_id) if result is None else self._believed(job_id, result)

    def _believed(self, job_id: str, result: Result) -> Result | Untrusted:
        try:
            return self._store.checked(job_id, result)
        except Untrusted as error:
            return error

    def _nowhere(self, job_id: str) -> NotFound:
        if job_id in self._seen:
            return NotFound(f"job {job_id} was removed from {self._session.url}", hint="`gpujob rm` or gc did that.")
        return NotFound(f"no job {job_id} in {self._session.url}", hint="If it was submitted a moment ago, try again.")

    # -- telling

    def _tell(self) -> None:
        if self._by_listing:
            with suppress(Unavailable, Busy):  # only for a sentence
                self._look(next(iter(self.waiting)))
        waiting = [self._seen[job_id] for job_id in self.waiting if job_id in self._seen]
        if not waiting:
            return
        first = next((one for one in waiting if one.state == "queued"), waiting[0])
        self._look_at_workers(first)
        line, reason = line_of(first, self._workers, now=self._ctx.store_now(), ahead=self._ahead, pace=self._pace)
        if len(self._manifests) > 1:
            known = () if self._by_listing else waiting
            line = line_of_many(len(self._manifests) - len(self.waiting), len(self._manifests), known, reason)
        better = self._on_reason(reason) if self._on_reason is not None else None
        self._session.out.status(line if better is None else better.after(f"{first.state}: "))
        self._mind_worker_timeout(reason)

    def _look_at_workers(self, first: Status) -> None:
        """Who lives and who is before us, asked for now and then: each costs a LIST."""
        now_s = self._runtime.elapsed()
        every_s = LOCAL_WORKERS_EVERY_S if self._session.is_local else WORKERS_EVERY_S
        if self._looked_at_workers_s is not None and now_s - self._looked_at_workers_s < every_s:
            return
        if self._looked_at_workers_s is not None and first.state == "running":
            return
        self._looked_at_workers_s = now_s
        try:
            self._workers = self._store.workers()
            manifest = first.manifest
            if first.state == "queued" and manifest is not None:
                self._ahead = jobs_ahead(self._ctx, manifest, rivals(manifest, self._workers))
        except (Unavailable, Busy):
            pass  # what is known already will do for a sentence

    def _mind_worker_timeout(self, reason: Reason) -> None:
        now_s = self._runtime.elapsed()
        if reason.code not in NOBODY:
            self._alone_since_s = None
        elif self._alone_since_s is None:
            self._alone_since_s = now_s
        alone_s = 0.0 if self._alone_since_s is None else now_s - self._alone_since_s
        if self._worker_timeout_s is not None and reason.code in NOBODY and alone_s >= self._worker_timeout_s:
            raise NoWorker(reason.text, hint=reason.hint or None)

    @property
    def _longest_pause_s(self) -> float:
        return LONGEST_LOCAL_PAUSE_S if self._session.is_local else LONGEST_PAUSE_S
