"""gc: removes what retention allows and what nothing refers to any more. Deletes only what it has listed before.

Artifacts go only after a GET of a done/<id> that names another prefix; where there is none, after pending, leased and
done, read in that order, were all absent and the files are older than a day. An input goes only if it is still old when
its turn comes: a submit may have put it again while the jobs were read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from gpujob import keys
from gpujob.buckets.base import Entry
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.protocol import cleaning
from gpujob.protocol.context import Context
from gpujob.protocol.listing import every_entry
from gpujob.protocol.manifests import every_manifest
from gpujob.protocol.removal import SETTLED_S, retire
from gpujob.protocol.status import pending_key, result_of
from gpujob.records import Manifest, held_key

DAY_S = 86400.0


@dataclass
class Garbage:
    """What gc removed (or would remove), by kind: objects and bytes."""

    objects: dict[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    unreadable: list[str] = field(default_factory=list)

    def add(self, kind: str, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.objects[kind] = self.objects.get(kind, 0) + 1
            self.size_bytes += entry.size_bytes


class Collector:
    """One gc pass. With `dry_run` it only counts."""

    def __init__(self, ctx: Context, *, older_than_s: float, dry_run: bool = False) -> None:
        self.ctx = ctx
        self.older_than_s = max(older_than_s, SETTLED_S)
        self.dry_run = dry_run
        self.garbage = Garbage()

    def collect(self) -> Garbage:
        """Runs the whole pass, in the order in which one kind of garbage makes another. Raises Denied where it may not."""
        self._results()
        self._artifacts()
        self._inputs()
        self._unique()
        self._old("cache", keys.CACHE, self.older_than_s)
        self._old("workers", keys.WORKERS, DAY_S)
        return self.garbage

    def _drop(self, kind: str, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.garbage.add(kind, [entry])
            if not self.dry_run:
                cleaning.remove(self.ctx, entry.key)

    def _aged(self, entries: Iterable[Entry], age_s: float) -> Iterator[Entry]:
        for entry in entries:
            if self.ctx.store_now() - entry.last_modified >= age_s:
                yield entry

    def _old(self, kind: str, prefix: str, age_s: float) -> None:
        self._drop(kind, list(self._aged(every_entry(self.ctx, prefix), age_s)))

    def _results(self) -> None:
        for entry in self._aged(every_entry(self.ctx, keys.DONE), self.older_than_s):
            job_id = keys.parse_job(entry.key, keys.DONE)
            if job_id is not None and (self.dry_run or retire(self.ctx, job_id, delete=cleaning.remove)):
                self.garbage.add("results", [entry])

    def _artifacts(self) -> None:
        for job_id, rows in groupby(every_entry(self.ctx, keys.ARTIFACTS), _job_of):
            entries = list(rows)
            if job_id:
                self._drop("artifacts", self._unreferenced(job_id, entries))

    def _unreferenced(self, job_id: str, entries: list[Entry]) -> list[Entry]:
        absent = pending_key(self.ctx, job_id) is None and not self.ctx.there(keys.leased(job_id))
        try:
            result = result_of(self.ctx, job_id)
        except (CorruptRecord, WrongProtocol) as error:
            self.garbage.unreadable.append(error.message)
            return []
        if result is not None:
            kept = keys.attempt_prefix(job_id, result.epoch, result.nonce)
            return [entry for entry in entries if not entry.key.startswith(kept)]
        return list(self._aged(entries, DAY_S)) if absent else []

    def _inputs(self) -> None:
        """A submit trusts an input for half the retention, and may take a day to send the job that names it."""
        age_s = max(self.older_than_s, self.ctx.config.retention_s / 2 + DAY_S)
        old = list(self._aged(every_entry(self.ctx, keys.INPUTS), age_s))
        if not old:
            return
        used, certain = self._used_inputs()
        if certain:
            self._drop("inputs", (entry for entry in old if entry.key not in used and self._is_still(entry, age_s)))

    def _is_still(self, entry: Entry, age_s: float) -> bool:
        """Whether the object is still as old as the listing said. Asked right before it is deleted."""
        try:
            head = None if self.dry_run else self.ctx.head(entry.key)
        except CorruptRecord:
            return True
        return self.dry_run or (head is not None and head.date - head.last_modified >= age_s)

    def _used_inputs(self) -> tuple[set[str], bool]:
        """The keys of inputs that some job names, and whether every job could be read."""
        before = len(self.garbage.unreadable)
        manifests = every_manifest(self.ctx, self.garbage.unreadable.append)
        used = {keys.input_file(file.sha256) for manifest in manifests for file in manifest.files}
        return used, len(self.garbage.unreadable) == before

    def _unique(self) -> None:
        for entry in self._aged(every_entry(self.ctx, keys.UNIQUE), DAY_S):
            try:
                found = self.ctx.get(entry.key)
                if found is not None and self._nowhere(held_key(entry.key, found.body)):
                    self._drop("idempotency keys", [entry])
            except (CorruptRecord, WrongProtocol) as error:
                self.garbage.unreadable.append(error.message)

    def _nowhere(self, manifest: Manifest) -> bool:
        """Whether pending, leased and done, read in the order in which a job moves, are all absent."""
        places = (
            keys.pending(manifest.priority, manifest.id, manifest.kind),
            keys.leased(manifest.id),
            keys.done(manifest.id),
        )
        return not any(self.ctx.there(key) for key in places)


def _job_of(entry: Entry) -> str:
    parsed = keys.parse_artifact(entry.key)
    return parsed.id if parsed is not None else ""
