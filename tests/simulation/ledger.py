"""What must be true, checked at every write and delete as it lands in the store.

Invariant: the ledger sees the store itself, past every fault and every party, so nothing that a party believes counts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from gpujob import keys
from gpujob.decisions import FREE_RELEASES, MAX_LOSSES
from gpujob.records import JobError, Lease, Result, decode, is_hint

SETTLED_S = 600.0


class Violation(BaseException):
    """Something that must be true was not. The message names the job and says what happened.

    No Exception, so that no code under test can swallow it.
    """


@dataclass
class Facts:
    """What is known of one job from the writes that landed."""

    pending: int = 0
    lease: Lease | None = None
    result: Result | None = None
    done_body: bytes = b""
    done_at_s: float = 0.0
    acknowledged: bool = False
    removed: bool = False
    peak: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    owned: set[tuple[int, str]] = field(default_factory=set)
    late: set[str] = field(default_factory=set)  # nonces of leases that landed after the job had ended
    runs: dict[int, str] = field(default_factory=dict)
    commits: int = 0


class Ledger:
    """Follows every job of one schedule."""

    def __init__(self) -> None:
        self.jobs: dict[str, Facts] = {}
        self.files: dict[str, tuple[str, str]] = {}  # artifact key -> (writer's nonce, sha256)
        self.removal_is_on = False
        self.may_return = False  # whether a removed job may be submitted again, by its idempotency key
        self.by_key: dict[str, str] = {}  # idempotency key -> acknowledged id
        self.ids_of_key: dict[str, set[str]] = {}
        self.gone: set[str] = set()  # jobs that were removed, whether they returned or not
        self.runs = 0

    def facts(self, job_id: str) -> Facts:
        found = self.jobs.get(job_id)
        if found is None:
            found = self.jobs[job_id] = Facts()
        return found

    # -- what lands

    def wrote(self, key: str, body: bytes, now_s: float, new: bool) -> None:
        """An object was put under `key`."""
        if key.startswith("pending/"):
            self._wrote_pending(key[10:36], body, new)
        elif key.startswith("leased/"):
            self._wrote_lease(key[7:33], decode(Lease, key, body))
        elif key.startswith("done/"):
            self._wrote_done(key[5:31], key, body, now_s)

    def uploaded(self, key: str, writer: str, body: bytes) -> None:
        """A file was put under `key` by the attempt that `writer` is the nonce of."""
        self.files[key] = (writer, hashlib.sha256(body).hexdigest())

    def deleted(self, key: str, now_s: float) -> None:
        """The object under `key` is gone."""
        if key.startswith("pending/"):
            facts = self.facts(key[10:36])
            facts.pending -= 1
            self._findable(key[10:36], facts)
        elif key.startswith("leased/"):
            facts = self.facts(key[7:33])
            facts.lease = None
            self._findable(key[7:33], facts)
        elif key.startswith("done/"):
            self._deleted_done(key[5:31], now_s)
        elif key.startswith("artifacts/"):
            self._deleted_file(key)
        elif key.startswith("unique/"):
            self._deleted_unique(key[7:-5])

    # -- what the parties say

    def acknowledged(self, job_id: str, idempotency_key: str | None) -> None:
        """A submitter was told that the job is in the queue."""
        facts = self.facts(job_id)
        facts.acknowledged = True
        self._findable(job_id, facts)
        if idempotency_key is not None:
            standing = self.by_key.get(idempotency_key, job_id)
            if standing != job_id and standing not in self.gone:  # a key lives as long as its job is kept
                raise Violation(f"the idempotency key {idempotency_key} stands for {standing} and for {job_id}")
            self.by_key[idempotency_key] = job_id
            self.ids_of_key.setdefault(idempotency_key, set()).add(job_id)

    def started(self, job_id: str, attempt: int, nonce: str) -> None:
        """An executor was started."""
        self.runs += 1
        facts = self.facts(job_id)
        if facts.removed or nonce in facts.late:
            raise Violation(f"{job_id} runs again (attempt {attempt}) after it had ended")
        if facts.runs.setdefault(attempt, nonce) != nonce:
            raise Violation(f"two runs of attempt {attempt} of {job_id}")

    # -- checks

    def _wrote_pending(self, job_id: str, body: bytes, new: bool) -> None:
        facts = self.facts(job_id)
        if facts.removed:
            if not self.may_return or is_hint(body):
                raise Violation(f"{job_id} comes back into pending after its removal")
            facts = self.jobs[job_id] = Facts()  # its idempotency key outlived it, and was used again
        facts.pending += new

    def _wrote_lease(self, job_id: str, lease: Lease) -> None:
        _require_no_bug(job_id, lease.error)
        facts = self.facts(job_id)
        facts.lease = lease
        fresh = (lease.epoch, lease.nonce) not in facts.owned
        facts.owned.add((lease.epoch, lease.nonce))
        if facts.removed:
            raise Violation(f"{job_id} comes back into leased after its removal")
        if facts.result is not None:
            if fresh:
                facts.late.add(lease.nonce)
            return
        now = (lease.epoch, lease.attempt, lease.failures, lease.losses, lease.releases)
        if any(new < old for new, old in zip(now, facts.peak, strict=True)):
            raise Violation(f"a counter of {job_id} shrank: {facts.peak} to {now} (epoch, attempt, failures, ...)")
        facts.peak = now
        most = lease.manifest.retry.max_attempts
        if lease.failures >= most or lease.losses > MAX_LOSSES + 1 or lease.attempt > most + MAX_LOSSES + FREE_RELEASES:
            raise Violation(f"{job_id} is tried without bound: {now} (epoch, attempt, failures, losses, releases)")

    def _wrote_done(self, job_id: str, key: str, body: bytes, now_s: float) -> None:
        facts = self.facts(job_id)
        if facts.result is not None and body != facts.done_body:
            raise Violation(f"the terminal record of {job_id} changed from {facts.result.state}")
        result = decode(Result, key, body)
        _require_no_bug(job_id, result.error)
        facts.result, facts.done_body, facts.done_at_s = result, body, now_s
        facts.commits += 1
        if facts.removed:
            raise Violation(f"{job_id} ends again after its removal")
        if result.state != "cancelled" and (result.epoch, result.nonce) not in facts.owned:
            raise Violation(f"{job_id} was ended by {result.epoch}-{result.nonce}, which never owned it")
        self._own_files(job_id, result)

    def _own_files(self, job_id: str, result: Result) -> None:
        for artifact in result.artifacts:
            standing = self.files.get(artifact.key)
            if standing is None:
                raise Violation(f"the result of {job_id} names {artifact.key}, which is not there")
            if standing != (result.nonce, artifact.sha256):
                raise Violation(
                    f"the result of {job_id} names {artifact.key}, a file of another attempt ({standing[0]})"
                )

    def _deleted_done(self, job_id: str, now_s: float) -> None:
        facts = self.facts(job_id)
        if not self.removal_is_on or now_s - facts.done_at_s < SETTLED_S - 1:  # a store may count whole seconds
            raise Violation(f"the result of {job_id} was deleted after {now_s - facts.done_at_s:.0f} s")
        facts.removed, facts.result = True, None
        self.gone.add(job_id)

    def _deleted_unique(self, idempotency_key: str) -> None:
        """A key goes with a job that was removed; a repeat of that delete may take it from the next job, which is accepted."""
        ids = self.ids_of_key.get(idempotency_key)
        if ids and not ids & self.gone:
            raise Violation(f"the idempotency key {idempotency_key} was freed while its job is kept")
        self.by_key.pop(idempotency_key, None)

    def _deleted_file(self, key: str) -> None:
        self.files.pop(key, None)
        where = keys.parse_artifact(key)
        facts = self.facts(where.id) if where else None
        if facts is not None and facts.result is not None and any(key == each.key for each in facts.result.artifacts):
            raise Violation(f"{key} was deleted, but the result of {where.id if where else ''} names it")

    def _findable(self, job_id: str, facts: Facts) -> None:
        if facts.acknowledged and not facts.removed and not facts.pending and not facts.lease and not facts.result:
            raise Violation(f"{job_id} is lost: in none of pending, leased and done")

    # -- the end

    def at_rest(self) -> bool:
        """Whether every job that was submitted has ended and left nothing behind."""
        return all(
            not facts.pending
            and facts.lease is None
            and (facts.result is not None or facts.removed or not facts.acknowledged)
            for facts in self.jobs.values()
        )

    def check_end(self) -> None:
        """Every result still stands on its own files."""
        for job_id, facts in self.jobs.items():
            if not facts.removed and (facts.pending or facts.lease is not None):
                raise Violation(f"{job_id} left something behind in a quiet system")
            if facts.acknowledged and facts.result is None and not facts.removed:
                raise Violation(f"{job_id} never ended in a quiet system")
            if facts.result is not None and not facts.removed:
                self._own_files(job_id, facts.result)


def _require_no_bug(job_id: str, error: JobError | None) -> None:
    """Only an attempt that met what nobody foresaw has a traceback: once, every job with a file failed so, unseen."""
    if error is not None and error.traceback:
        raise Violation(f"an attempt of {job_id} met a bug: {error.message}")
