"""`JobStore`: a queue as its users see it. Everything it knows is in the bucket; it may be made and dropped at will.

>>> from gpujob import JobStore, MemoryBucket
>>> store = JobStore(MemoryBucket())
>>> job = store.submit({"kind": "echo", "input": {"message": "hello"}})
>>> store.status(job.id).state
'queued'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpujob import artifacts, inputs, manifests, queue
from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import open_bucket, separate_connection
from gpujob.buckets.retrying import RetryingBucket
from gpujob.chance import Random, system_random
from gpujob.clock import SYSTEM, Runtime
from gpujob.decisions import beat_silence_s
from gpujob.errors import Configuration, Conflict, InvalidSpec, NotFound
from gpujob.ids import is_id, is_id_prefix, new_id
from gpujob.protocol import cancel, fsck, gc, listing, presence, removal, status, submit
from gpujob.protocol.chosen import Chosen
from gpujob.protocol.claim import Claimer
from gpujob.protocol.context import Context
from gpujob.protocol.poll import Poller
from gpujob.protocol.skipping import Skips
from gpujob.protocol.status import Status
from gpujob.protocol.submit import Submitted
from gpujob.protocol.sweep import Sweeper
from gpujob.protocol.waiting import wait
from gpujob.records import MAX_MANIFEST_BYTES, Manifest, Presence, QueueConfig, Result
from gpujob.signing.identity import NOBODY, Identity

if TYPE_CHECKING:
    from gpujob.specs import Spec

PATIENCE_S = 60.0
READERS = 8
LOCAL_BEAT_S = 1.0  # a beat costs nothing where the store is this machine, and progress is fresh


class JobStore:
    """One queue in one bucket. Safe to use from several threads."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        config: QueueConfig | None = None,
        runtime: Runtime = SYSTEM,
        rng: Random | None = None,
        patience_s: float = PATIENCE_S,
        identity: Identity = NOBODY,
    ) -> None:
        """Trusts `bucket`: a store of unknown virtue is opened by `open_store`, which wants the probe's verdict.

        `patience_s` is how long a call goes on asking a failing store before it raises Unavailable. `identity` is who
        signs here, and whom it trusts.
        """
        self.bucket = bucket
        self.config = config or QueueConfig()
        self.runtime = runtime
        self.rng = rng or system_random()
        self.patience_s = patience_s
        self.identity = identity
        self._skips = Skips()

    @property
    def context(self) -> Context:
        """A fresh view for one operation or one party: views are not shared between threads."""
        return Context(self.bucket, self.runtime, self.rng, self.config, self.identity, self._skips)

    # -- submitters

    def submit(
        self,
        spec: Spec | Mapping[str, Any],
        *,
        base_dir: Path | None = None,
        submitted_by: str = "",
        job_id: str | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Submitted:
        """Puts a job in the queue and returns once it is known to be there.

        A file's `source` is relative to `base_dir` (the working directory by default) and is uploaded first, by content.
        Idempotent by `job_id` and by the spec's idempotency key. Raises InvalidSpec, Conflict (the key stands for
        another spec), Untrusted (for a job that nobody trusted has signed), Configuration (a signed queue, and no key),
        Unavailable (the hint names the id to look for before submitting again).
        """
        self._require_key()
        if isinstance(spec, Mapping):
            from gpujob.specs import parse_object  # loads a model for every kind: only submitting needs them

            spec = parse_object(spec)
        ctx = self.context
        files = inputs.upload(ctx, spec.files, base_dir=base_dir or Path(), progress=progress)
        manifest = manifests.make(
            spec,
            job_id=job_id or self.new_id(),
            nonce=ctx.nonce(),
            now=self.runtime.now(),
            config=self.config,
            files=files,
            submitted_by=submitted_by,
        )
        return self.submit_manifest(manifest, ctx=ctx)

    def submit_manifest(self, manifest: Manifest, *, ctx: Context | None = None) -> Submitted:
        """Puts a ready manifest in the queue, signed where this party has a key. Errors as of `submit`."""
        self._require_key()
        ctx = ctx or self.context
        return submit.submit(ctx, self._signed(manifest), ctx.patience(self.patience_s))

    def _require_key(self) -> None:
        if self.config.signed and self.identity.key is None:
            raise Configuration(
                f"{self.bucket.url} takes signed jobs only, and no key is set here",
                hint="`gpujob keys new` makes one; GPUJOB_SIGN_WITH names it, and the workers need its public half.",
            )

    def _signed(self, manifest: Manifest) -> Manifest:
        signed = self.identity.signed_manifest(manifest)
        if signed is not manifest and len(signed.body()) > MAX_MANIFEST_BYTES:
            raise InvalidSpec("the job's manifest is too large with its signature", hint="Pass large texts as files.")
        return signed

    def new_id(self) -> str:
        """A fresh job id."""
        return new_id(self.runtime.now(), self.rng)

    def retry(self, job_id: str, *, submitted_by: str = "") -> Submitted:
        """Submits a finished job again as a new job with `retry_of`.

        Raises Conflict while it has not ended or where it cannot be read, Untrusted where this would sign a job that
        nobody trusted had signed.
        """
        found = self.status(job_id)
        if not found.ended:
            raise Conflict(f"job {job_id} has not ended", hint=f"`gpujob cancel {job_id}` ends it.")
        if found.manifest is None:
            raise Conflict(
                f"job {job_id} cannot be submitted again: its record could not be read", hint="Submit the spec again."
            )
        old = found.manifest
        if self.identity.key is not None:
            self.identity.check_manifest(old)
        manifest = old.model_copy(
            update={
                "id": self.new_id(),
                "nonce": self.context.nonce(),
                "created_at": self.runtime.now(),
                "retry_of": job_id,
                "idempotency_key": None,
                "signature": None,
                "submitted_by": submitted_by or old.submitted_by,
            }
        )
        return self.submit_manifest(manifest)

    # -- looking

    def status(self, job_id: str) -> Status:
        """Where the job is. Raises NotFound."""
        found = status.status(self.context, job_id)
        if found is None:
            raise NotFound(f"no job {job_id} in {self.bucket.url}", hint="If it was submitted a moment ago, try again.")
        return found

    def result(self, job_id: str) -> Result | None:
        """The job's result, or None while it has not ended (or is unknown). One GET. Raises Untrusted."""
        result = status.result_of(self.context, job_id)
        return None if result is None else self.checked(job_id, result)

    def checked(self, job_id: str, result: Result) -> Result:
        """The result, signed by whom it should be as far as this party says whom it trusts. Raises Untrusted."""
        self.identity.check_result(job_id, result)
        return result

    def resolve(self, text: str) -> str:
        """The id that a person means by an id, a unique prefix of one, or an idempotency key. Raises NotFound, Conflict."""
        if is_id(text):
            return text
        held = submit.key_holder(self.context, text)
        if held is not None:
            return held.id
        found = listing.ids_with_prefix(self.context, text) if is_id_prefix(text) else []
        if len(found) > 1:
            raise Conflict(f"{text} is the beginning of several ids", hint="Give more of its characters.")
        if not found:
            raise NotFound(f"no job {text} in {self.bucket.url}", hint="`gpujob ls` lists what there is.")
        return found[0]

    def jobs(self, *, since: float = 0.0, limit: int = 200) -> list[Status]:
        """Active jobs and those submitted since `since` (seconds since 1970), oldest first, `limit` at most."""
        with ThreadPoolExecutor(READERS) as pool:
            return listing.jobs(self.context, since=since, limit=limit, fetch=pool.map)

    def workers(self) -> list[tuple[Presence, float]]:
        """The live workers, each with the age of its presence record in seconds."""
        return presence.live_workers(self.context)

    def wait(
        self, job_id: str, *, timeout_s: float | None = None, on_look: Callable[[Status], None] | None = None
    ) -> Result:
        """The job's result, as soon as there is one; TimeoutError after `timeout_s` (the job goes on). Raises Untrusted.

        `on_look` is called with the job's status about once a second at first, then less often.
        """
        result = wait(self.context, job_id, timeout_s=timeout_s, on_look=on_look, patience_s=self.patience_s)
        return self.checked(job_id, result)

    def download(
        self,
        result: Result,
        out: Path,
        *,
        force: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> list[Path]:
        """Fetches the result's files into `out`, verified, resumed and placed whole. See `gpujob.artifacts.download`.

        Raises Untrusted before anything is fetched.
        """
        self.checked(result.id, result)
        return artifacts.download(self.bucket, result.artifacts, out, force=force, progress=progress)

    # -- operators

    def cancel(self, job_id: str) -> tuple[Status, bool]:
        """Ends the job as cancelled; returns how it ended and whether this call ended it. Raises NotFound."""
        ctx = self.context
        return cancel.cancel(ctx, job_id, ctx.patience(self.patience_s))

    def remove(self, job_id: str) -> removal.Removed:
        """Removes a finished job with its texts and files, ten minutes after its end at the earliest."""
        return removal.remove_job(self.context, job_id)

    def gc(self, *, older_than_s: float | None = None, dry_run: bool = False) -> gc.Garbage:
        """Removes what retention allows and what nothing refers to any more."""
        keep_s = self.config.retention_s if older_than_s is None else older_than_s
        return gc.Collector(self.context, older_than_s=keep_s, dry_run=dry_run).collect()

    def fsck(self, *, repair: bool = False) -> list[fsck.Finding]:
        """Objects that are not what their keys say; with `repair`, their jobs are ended as failed."""
        ctx = self.context
        return fsck.check(ctx, repair=repair, give_up=ctx.patience(self.patience_s))

    def command_worker(self, worker_id: str, word: presence.Control) -> Presence:
        """Tells a worker to drain or stop; it obeys at its next presence write, within a minute."""
        ctx = self.context
        return presence.command(ctx, worker_id, word, ctx.patience(self.patience_s))

    # -- workers

    def claimer(self, worker: str, serves: Callable[[Manifest], bool]) -> Claimer:
        """What claims jobs for one worker, with a connection of its own for beats."""
        return Claimer(self.context, worker=worker, beats=self._beats(), serves=serves)

    def poller(
        self,
        worker: str,
        *,
        serves_kind: Callable[[str], bool],
        serves: Callable[[Manifest], bool],
        prefers: Callable[[str], bool] = lambda kind: False,
    ) -> Poller:
        """What finds jobs for one worker; of two kinds, it takes the one that it prefers while that starves nobody."""
        return Poller(self.claimer(worker, serves), serves_kind, prefers)

    def chosen(self, worker: str, ids: Sequence[str], *, serves: Callable[[Manifest], bool]) -> Chosen:
        """What finds these jobs, and no others, for one worker."""
        return Chosen(self.claimer(worker, serves), ids)

    def sweeper(self, worker: str) -> Sweeper:
        """What an idle worker cleans up with."""
        return Sweeper(self.context, worker=worker, beats=self._beats())

    def _beats(self) -> Bucket:
        silence_s = beat_silence_s(self.config.ttl_s, self.config.beat_s)
        return separate_connection(self.bucket, silence_s=silence_s)


def open_store(
    url: str, *, runtime: Runtime = SYSTEM, rng: Random | None = None, identity: Identity = NOBODY
) -> JobStore:
    """The queue at a store's URL (`s3://`, `file://`, `memory://`), with retries where they are safe.

    A folder or memory store becomes a queue by itself; a remote one without queue.json raises NotInitialised, one that
    failed its probe was never given one.
    """
    chance = rng or system_random()
    bucket: Bucket = RetryingBucket(open_bucket(url), runtime, chance)
    config = queue.load(bucket)
    if config is None:
        if not url.startswith(("file:", "memory:")):
            config = queue.require(bucket)
        else:
            local = QueueConfig(created_at=runtime.now(), beat_s=LOCAL_BEAT_S)
            config = queue.save(Context(bucket, runtime, chance), local)
    if config.etag_style != "quoted":
        bucket = RetryingBucket(open_bucket(url, etag_style=config.etag_style), runtime, chance)
    return JobStore(bucket, config=config, runtime=runtime, rng=chance, identity=identity)
