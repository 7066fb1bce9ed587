"""Polling: which job to try next, at the price of as few LISTs as fairness allows.

A page of pending/ serves claims for up to ten seconds. A page that gave no job moves a cursor on, so a backlog of jobs that
this worker cannot serve never hides those behind it, nor do keys behind which there is no job; the top is seen again at
least once a minute.
leased/ is listed when the earliest lease may have expired; take-overs and due waits come before anything pending.
Where many workers are busy, each that finishes a job looks at once, so that the idle ones may look the less often, and
leave what has only just come to those: else each of hundreds tries each job, and all but one in vain.
An object at which the store fails is put off, for longer each time, so that it holds up no job behind it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import takewhile

from gpujob import keys
from gpujob.buckets.base import Entry, Listing
from gpujob.decisions import margin_s
from gpujob.errors import Unavailable
from gpujob.protocol.claim import ABSENT, GONE, Claimer, Skipped
from gpujob.protocol.lease import HeldLease

PAGE_LIFE_S = 10.0
TOP_EVERY_S = 60.0
SHORTEST_IDLE_S = 1.0
LONGEST_IDLE_S = 30.0
FEW = 8
WIDEST = 256
CROWD = 32  # so many busy workers are many: with n times as many, an idle one looks every n seconds at most
YOUNG_S = 2.0  # until then a job is left to those of a crowd that have just finished one
MISSES = 12  # a LIST costs about as much as a dozen GETs
LONGEST_CROWD_TTLS = 4.0  # many leases may be many dead workers: a look at leased/ is put off by so many lives at most
PATIENCE_S = 30.0
MEMORY = 200_000
WAITS = 1000
LEASED_PAGES = 20
LONGEST_PUT_OFF_S = 3600.0
FAILURES = 3  # of the store in a row are no single object's


class Poller:
    """Finds jobs for one worker. `serves_kind` filters by the kind in the key, without a GET.

    Of the kinds that it serves it takes those that it `prefers` first (its models are warm for them), as long as the
    oldest job of the page has not waited longer than half a minute.
    """

    finished = False  # there is always a next job to wait for

    def __init__(
        self,
        claimer: Claimer,
        serves_kind: Callable[[str], bool],
        prefers: Callable[[str], bool] = lambda kind: False,
    ) -> None:
        self.claimer = claimer
        self._ctx = claimer.ctx
        self._serves_kind = serves_kind
        self._prefers = prefers
        self._next = ""
        self._page: list[Entry] = []
        self._page_until_s = 0.0
        self._expired: list[Entry] = []
        self._after = ""
        self._resume = ""
        self._page_end = ""
        self._page_served = False
        self._window = FEW
        self._top_seen_s = -math.inf
        self._pending_due_s = -math.inf
        self._leased_due_s = -math.inf
        self._leases_after = ""
        self._busy = 0  # workers that held a lease when leased/ was last looked at
        self._eager = True  # for whatever there is, on the next page: a job has just ended, or none was had yet
        self._idle_s = SHORTEST_IDLE_S
        self._not_before: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._put_off_s: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._failed = 0
        self._waits: dict[str, float] = {}

    def next(self) -> HeldLease | None:
        """One job to run, if one can be had now. Lists only what is due; errors of the bucket pass through."""
        held = self._due_wait() or self._expired_lease() or self._pending()
        if held is not None:
            self._idle_s = SHORTEST_IDLE_S
        return held

    def again(self) -> None:
        """A job has ended or there is word of a new one: look at once, and often for a while."""
        self._pending_due_s = -math.inf
        self._idle_s = SHORTEST_IDLE_S
        self._eager = True

    def peek(self) -> str:
        """The pending key that will be tried next, if nothing else happens; empty where none is known. No request."""
        if not self._page or self._ctx.runtime.elapsed() >= self._page_until_s:
            return ""
        if not any(entry.key == self._next for entry in self._page):
            self._next = self._page[self._choice()].key
        return self._next

    def wait_s(self) -> float:
        """Seconds until something is due."""
        if self._expired or (self._page and self._ctx.runtime.elapsed() < self._page_until_s):
            return 0.0
        due_s = min(self._pending_due_s, self._leased_due_s)
        if self._waits:
            due_s = min(due_s, self._ctx.runtime.elapsed() + min(self._waits.values()) - self._ctx.store_now())
        return max(0.0, due_s - self._ctx.runtime.elapsed())

    # -- waits that have become due

    def _due_wait(self) -> HeldLease | None:
        now = self._ctx.store_now()
        for job_id in [job_id for job_id, due in self._waits.items() if due <= now]:
            self._waits.pop(job_id, None)
            got = self.claimer.take(job_id)
            if isinstance(got, HeldLease):
                return got
            self._note_wait(job_id, got)
        return None

    def _note_wait(self, job_id: str, skipped: Skipped) -> None:
        if skipped.waits and len(self._waits) < WAITS:
            self._waits[job_id] = skipped.until + self._ctx.rng.random()

    # -- leases that have expired

    def _expired_lease(self) -> HeldLease | None:
        if self._ctx.runtime.elapsed() >= self._leased_due_s:
            self._expired = self._look_at_leases()
        while self._expired:
            entry = self._expired.pop(self._ctx.rng.randrange(min(FEW, len(self._expired))))
            job_id = keys.parse_job(entry.key, keys.LEASED) or ""
            got = self._tried(self.claimer.take, job_id, entry)
            if isinstance(got, HeldLease):
                return got
            self._remember(entry, got)
            self._note_wait(job_id, got)
        return None

    def _look_at_leases(self) -> list[Entry]:
        """The leases that may have expired, oldest first; sets the moment of the next look."""
        entries, date = self._list_leases()
        ttl_s = self._ctx.config.ttl_s
        earliest = date + ttl_s + margin_s(ttl_s)
        expired = []
        for entry in entries:
            until = self._not_before.get((entry.key, entry.version), entry.last_modified + ttl_s)
            if until <= date:
                expired.append(entry)
            else:
                earliest = min(earliest, until)
        if self._leases_after:
            earliest = min(earliest, date + PAGE_LIFE_S)
        self._busy = sum(entry.last_modified > date - ttl_s for entry in entries)  # their owners live, and look too
        crowd_s = ttl_s * min(LONGEST_CROWD_TTLS, max(0, self._busy - FEW) / FEW)
        self._leased_due_s = self._ctx.runtime.elapsed() + (earliest - date) + self._ctx.rng.random() * crowd_s
        return sorted(expired, key=lambda entry: entry.last_modified)

    def _list_leases(self) -> tuple[list[Entry], float]:
        """The leases from where the last look broke off; after twenty pages this one breaks off too."""
        entries: list[Entry] = []
        after = self._leases_after
        for _ in range(LEASED_PAGES):
            listing = self._ctx.list(keys.LEASED, after=after)
            entries += (entry for entry in listing.entries if keys.parse_job(entry.key, keys.LEASED))
            after = listing.entries[-1].key if listing.truncated else ""
            if not after:
                break
        self._leases_after = after
        return entries, listing.date

    # -- pending

    def _pending(self) -> HeldLease | None:
        while True:
            if not self._page or self._ctx.runtime.elapsed() >= self._page_until_s:
                if self._ctx.runtime.elapsed() < self._pending_due_s:
                    return None
                self._fetch_page()
            held = self._try_page()
            if held is not None:
                return held
            self._page_done()

    def _fetch_page(self) -> None:
        now_s = self._ctx.runtime.elapsed()
        if self._after and now_s - self._top_seen_s >= TOP_EVERY_S:
            self._resume, self._after = self._after, ""
        if not self._after:
            self._top_seen_s = now_s
        listing = self._ctx.list(keys.PENDING, after=self._after)
        servable = self._servable(listing)
        self._page = [entry for entry in servable if not self._is_left_to_others(entry, listing.date)]
        self._page_served = len(self._page) < len(servable)  # what is left to others is looked at again
        self._eager = False
        self._page_end = listing.entries[-1].key if listing.truncated else ""
        self._page_until_s = self._ctx.runtime.elapsed() + PAGE_LIFE_S

    def _servable(self, listing: Listing) -> list[Entry]:
        rows = []
        for entry in listing.entries:
            where = keys.parse_pending(entry.key)
            if where is None or not self._serves_kind(where.kind):
                continue
            if self._not_before.get((entry.key, entry.version), -math.inf) <= listing.date:
                rows.append(entry)
        return rows

    def _is_left_to_others(self, entry: Entry, date: float) -> bool:
        return not self._eager and self._busy > CROWD and 0 <= date - entry.last_modified < YOUNG_S

    def _try_page(self) -> HeldLease | None:
        """A claim from the page: of its first few keys of one level, one at random.

        A key that is gone was claimed by another worker: the few become more, so that workers part, and after a dozen
        such misses, the price of a LIST, the page is read anew.
        """
        misses = 0
        while self._page and self._ctx.runtime.elapsed() < self._page_until_s:
            entry = self._page.pop(self._choice())
            got = self._tried(self.claimer.claim, entry.key, entry)
            if isinstance(got, HeldLease):
                self._window = max(FEW, self._window // 2)
                self._page_served = True
                return got
            self._remember(entry, got)
            where = keys.parse_pending(entry.key)
            if where is not None:
                self._note_wait(where.id, got)
            if got in (GONE, ABSENT):
                misses += 1
                self._window = min(WIDEST, self._window * 2)
            if misses >= MISSES:
                misses = 0
                self._fetch_page()
        return None

    def _choice(self) -> int:
        """Which key of the page to try: one of the first few of its level, of a preferred kind where that starves nobody."""
        if self._next:
            key, self._next = self._next, ""
            for number, entry in enumerate(self._page):
                if entry.key == key:
                    return number
        among: Sequence[int] = range(self._same_level())
        if self._ctx.store_now() - self._page[0].last_modified < PATIENCE_S:
            among = [number for number in among if self._prefers(_kind(self._page[number]))] or among
        return among[self._ctx.rng.randrange(len(among))]

    def _same_level(self) -> int:
        """How many keys at the top of the page are of its first key's level, within the window."""
        level = self._page[0].key.split("/", 2)[1]
        return sum(1 for _ in takewhile(lambda entry: entry.key.split("/", 2)[1] == level, self._page[: self._window]))

    def _page_done(self) -> None:
        """The page is used up: says from where and when to list next. One that gave nothing is gone past."""
        now_s = self._ctx.runtime.elapsed()
        if not self._page_served:
            self._after = self._page_end and (self._resume or self._page_end)
        if self._page_end:
            self._pending_due_s = now_s + self._pause(SHORTEST_IDLE_S)
        else:
            self._pending_due_s = now_s + self._pause(max(self._idle_s, min(LONGEST_IDLE_S, self._busy / CROWD)))
            self._idle_s = min(LONGEST_IDLE_S, self._idle_s * 2)
        self._resume = ""
        self._page = []

    def _pause(self, seconds: float) -> float:
        return seconds * (0.75 + self._ctx.rng.random() / 4)

    def _tried(self, attempt: Callable[[str], HeldLease | Skipped], name: str, entry: Entry) -> HeldLease | Skipped:
        """What a claim or take-over comes to. Where the store fails at it, this object is put off; in a row, it is raised."""
        try:
            got = attempt(name)
        except Unavailable as error:
            self._failed += 1
            skipped = self._put_off(entry)
            if self._failed >= FAILURES:
                self._failed = 0
                raise
            self._ctx.skips.note(f"{entry.key} for a while: {error}")
            return skipped
        self._failed = 0
        return got

    def _put_off(self, entry: Entry) -> Skipped:
        known = (entry.key, entry.version)
        self._put_off_s[known] = min(LONGEST_PUT_OFF_S, 2 * self._put_off_s.pop(known, PAGE_LIFE_S / 2))
        while len(self._put_off_s) > WAITS:
            self._put_off_s.popitem(last=False)
        skipped = Skipped(self._ctx.store_now() + self._put_off_s[known])
        self._remember(entry, skipped)
        return skipped

    def _remember(self, entry: Entry, skipped: Skipped) -> None:
        until = self._ctx.store_now() + PAGE_LIFE_S if skipped in (GONE, ABSENT) else skipped.until
        if until <= 0:
            return
        self._not_before[entry.key, entry.version] = until
        while len(self._not_before) > MEMORY:
            self._not_before.popitem(last=False)


def _kind(entry: Entry) -> str:
    where = keys.parse_pending(entry.key)
    return where.kind if where is not None else ""
