"""A lease that this worker holds: beats that keep it, and the writes that give it up.

All writes of one lease go through one lock and carry the version of the last one, so they follow one another. The
holder trusts the lease until `ttl - margin` after it *started* the last write that is known to have landed, by a clock
that counts suspended time; once that has passed, or somebody else's nonce is seen, it stops the job and writes no more.
"""

from __future__ import annotations

from typing import Literal

from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.decisions import failed_once, hint_for, margin_s, released
from gpujob.errors import Busy, CorruptRecord, LeaseLost, Unavailable, WrongProtocol
from gpujob.protocol.context import FIRST_PAUSE_S, LONGEST_PAUSE_S, Context, log
from gpujob.protocol.writes import create, replace
from gpujob.records import MAX_RECORD_BYTES, JobError, Lease, Manifest, Progress, decode

Loss = Literal["", "taken", "gone", "fenced"]


class HeldLease:
    """The lease of one job, from the claim to its end. Made by `gpujob.protocol.claim`."""

    def __init__(self, ctx: Context, beats: Bucket, record: Lease, version: str, *, started_s: float) -> None:
        """`started_s` is the moment on the steady clock at which the write that won the lease was started."""
        self.ctx = ctx
        self.record = record
        self.lost: Loss = ""
        self.pending_gone = False
        self._beats = beats
        self._version = version
        self._tried = record.beat
        self._progress = record.progress
        self._lock = ctx.runtime.lock()
        self._closed = ctx.runtime.event()
        self._stop = ctx.runtime.event()
        self.trusted_until_s = started_s + self._trust_s

    @property
    def id(self) -> str:
        """The job's id."""
        return self.record.id

    @property
    def manifest(self) -> Manifest:
        """The lease's own copy of the job, which is the one that counts."""
        return self.record.manifest

    @property
    def prefix(self) -> str:
        """Where this attempt's files go."""
        return keys.attempt_prefix(self.record.id, self.record.epoch, self.record.nonce)

    @property
    def _trust_s(self) -> float:
        return self.record.ttl_s - margin_s(self.record.ttl_s)

    def start_beats(self) -> None:
        """Beats from now on in a thread of its own, until `close`, or until the lease is lost."""
        self.ctx.runtime.spawn(f"beats {self.id}", self._beat_on)

    def close(self) -> None:
        """No beat is started after this."""
        self._closed.set()

    def report(self, progress: Progress) -> None:
        """The progress that the next beat carries."""
        self._progress = progress

    def trusted(self) -> bool:
        """Whether this worker may still act for the job; past the self-fence it becomes lost for good."""
        if not self.lost and self.ctx.runtime.elapsed() >= self.trusted_until_s:
            self._lose("fenced")
        return not self.lost

    def wait_for_loss(self, timeout_s: float) -> bool:
        """True as soon as the lease is known to be lost, False after `timeout_s`."""
        return self._stop.wait(timeout_s) or not self.trusted()

    def beat(self) -> None:
        """Replaces the lease once, with the latest progress, and learns whether it is still ours."""
        with self._lock:
            if self._closed.is_set() or not self.trusted():
                return
            started_s = self.ctx.runtime.elapsed()
            self._tried += 1
            record = self.record.model_copy(update={"beat": self._tried, "progress": self._progress})
            write = replace(self._beats, keys.leased(self.id), record.body(), self._version)
            if write.outcome == "won":
                self._good(record, write.version, started_s)
            else:
                self._look_after_beat(started_s)

    def fail(self, error: JobError) -> None:
        """Puts the job back to wait for its next attempt. Raises LeaseLost where it is no longer ours."""
        self._give_up(failed_once(self.record, error, self.ctx.store_now(), self.ctx.rng))

    def release(self) -> None:
        """Gives the job back, due at once. Raises LeaseLost where it is no longer ours."""
        self._give_up(released(self.record, self.ctx.store_now()))

    # -- beats

    def _beat_on(self) -> None:
        pause_s = self.record.beat_s
        while not self._closed.wait(pause_s) and not self.lost:
            before_s = self.trusted_until_s
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 - beats outlive whatever the store throws
                log.warning("beat of %s failed: %s", self.id, error)
            pause_s = self.record.beat_s if self.trusted_until_s > before_s else self.record.beat_s / 4

    def _look_after_beat(self, started_s: float) -> None:
        """The beat was lost or is unknown: whose nonce stands there?"""
        try:
            found = self._beats.get(keys.leased(self.id), max_bytes=MAX_RECORD_BYTES)
        except (Unavailable, Busy):
            self.trusted()
            return
        except CorruptRecord:
            self._lose("taken")
            return
        if found is None:
            self._lose("gone")
            return
        standing = self._ours(found.body)
        if standing is None or standing.state != "run":
            self._lose("taken")
        elif standing.beat == self._tried:
            self._good(standing, found.version, started_s)
        else:
            self.record, self._version = standing, found.version

    def _good(self, record: Lease, version: str, started_s: float) -> None:
        self.record, self._version = record, version
        self.trusted_until_s = started_s + self._trust_s

    # -- giving up

    def _give_up(self, waiting: Lease) -> None:
        self.close()
        with self._lock:
            self._replace_until_known(waiting)
        if not self.trusted():  # a machine that slept here must not put a hint of a job that may have ended and be gone
            return
        hint = hint_for(waiting, self.ctx.nonce())
        manifest = self.manifest
        create(self.ctx.bucket, keys.pending(manifest.priority, manifest.id, manifest.kind), hint.body())

    def _replace_until_known(self, waiting: Lease) -> None:
        pause_s = FIRST_PAUSE_S
        while self.trusted():
            write = replace(self.ctx.bucket, keys.leased(self.id), waiting.body(), self._version)
            if write.outcome == "won" or self._waits_already():
                return
            self.ctx.runtime.sleep(pause_s * (0.5 + self.ctx.rng.random()))
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
        raise LeaseLost(f"the lease of {self.id} was lost ({self.lost})")

    def _waits_already(self) -> bool:
        """Whether an earlier send of the waiting lease has landed; adopts the version of our own running one."""
        try:
            found = self.ctx.insist(lambda: self.ctx.get(keys.leased(self.id)), lambda: not self.trusted())
        except Unavailable:
            return False
        except CorruptRecord:
            self._lose("taken")
            return False
        standing = None if found is None else self._ours(found.body)
        if found is None or standing is None:
            self._lose("gone" if found is None else "taken")
            return False
        self._version = found.version
        return standing.state == "wait"

    def _ours(self, body: bytes) -> Lease | None:
        try:
            standing = decode(Lease, keys.leased(self.id), body, whose=self.id)
        except (CorruptRecord, WrongProtocol):
            return None
        if standing.nonce != self.record.nonce:
            return None
        # Under our nonce we change nothing but these while it runs: all else was looked at before it was claimed, and what
        # a neighbour wrote beside the nonce goes into no result.
        changed = {"state": standing.state, "beat": standing.beat, "progress": standing.progress}
        return self.record.model_copy(update=changed)

    def _lose(self, loss: Loss) -> None:
        if not self.lost:
            self.lost = loss
            log.info("lease of %s lost: %s", self.id, loss)
        self._stop.set()
