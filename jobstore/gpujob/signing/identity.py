"""`Identity`: the key that one party signs with, and the keys of the others that it trusts.

Invariant: verifying takes public keys only. Who has no key signs nothing, and who names no keys believes everybody; but
one key named is enough to refuse all others, unsigned ones among them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpujob.errors import Untrusted
from gpujob.records import Lease, Manifest, Result, Signature, keeps_its_word
from gpujob.signing.canonical import manifest_bytes, result_bytes, step_bytes
from gpujob.signing.private import PrivateKey
from gpujob.signing.public import PublicKey

LATE_S = 86400.0
"""How long after a job's ttl has passed its manifest may still begin a run: for submitters whose clock is wrong."""

WHY = "Whoever can write into the bucket may have made or altered it, or a key is missing in {}: docs/signing.md."


@dataclass(frozen=True)
class Identity:
    """One party: its key, and the keys of the submitters and workers that it trusts. Empty lists trust everybody."""

    key: PrivateKey | None = None
    submitters: tuple[PublicKey, ...] = ()
    workers: tuple[PublicKey, ...] = ()

    @property
    def careful(self) -> bool:
        """Whether others may believe a result for this party's sake: then no words of a stranger's lease get into it."""
        return self.key is not None or bool(self.submitters)

    # -- signing

    def signed_manifest(self, manifest: Manifest) -> Manifest:
        """The manifest with this party's signature; as it is where the party has no key."""
        if self.key is None:
            return manifest
        read = Manifest.model_validate_json(manifest.body())  # as everybody else will read it
        return read.model_copy(update={"signature": self.key.sign(manifest_bytes(read))})

    def signed_result(self, result: Result) -> Result:
        """The result with this party's signature; as it is where the party has no key.

        Nobody signs what others say of earlier attempts: their names and messages are left out. Who names submitters
        does not sign how a job ended that none of them signed, which it never ran.
        """
        result = _without_hearsay(result) if self.careful else result
        if self.key is None or self._strange(result.manifest):
            return result
        read = Result.model_validate_json(result.body())
        return read.model_copy(update={"signature": self.key.sign(result_bytes(read))})

    def step_signature(
        self, digest: str, payload_sha256: str, size_bytes: int, facts: Mapping[str, Any]
    ) -> Signature | None:
        """This party's signature of a cached step; None where it has no key."""
        return None if self.key is None else self.key.sign(step_bytes(digest, payload_sha256, size_bytes, facts))

    # -- verifying

    def job_problem(self, manifest: Manifest, now: float) -> str:
        """Why this worker must not run a job, in words; empty where it may. `now` is the store's clock."""
        if not self.submitters:
            return ""
        late_s = now - (manifest.created_at + manifest.ttl_s + LATE_S)
        if late_s > 0:
            return "it was submitted so long ago that it must have ended: its manifest was put there again"
        return _manifest_problem(manifest, self.submitters)

    def lives_until(self, manifest: Manifest, expires_at: float) -> float:
        """When a job expires for this party that the bucket says expires then: no job of a submitter that it names does
        so before its signed ttl has passed."""
        if not self.submitters or self._strange(manifest):
            return expires_at
        return max(expires_at, manifest.created_at + manifest.ttl_s)

    def believed(self, lease: Lease) -> Lease:
        """A lease as far as this party acts on it: see `lives_until`."""
        until = self.lives_until(lease.manifest, lease.expires_at)
        return lease if until == lease.expires_at else lease.model_copy(update={"expires_at": until})

    def check_manifest(self, manifest: Manifest) -> None:
        """Raises Untrusted unless a submitter that this party trusts, or itself, signed the job. For signing it anew."""
        problem = self._submitter_problem(manifest)
        if problem:
            raise Untrusted(
                f"job {manifest.id} cannot be signed anew, for it cannot be trusted: {problem}",
                hint="Look at it with `gpujob show`, and submit its spec again. "
                + WHY.format("GPUJOB_TRUST_SUBMITTERS"),
            )

    def check_holder(self, manifest: Manifest) -> None:
        """Raises Untrusted unless a submitter that this party trusts, or itself, signed the job behind an idempotency key."""
        problem = self._submitter_problem(manifest)
        if problem:
            raise Untrusted(
                f"the idempotency key {manifest.idempotency_key!r} stands for job {manifest.id}, which cannot be trusted: "
                f"{problem}",
                hint="Choose another key for your job. " + WHY.format("GPUJOB_TRUST_SUBMITTERS"),
            )

    def check_result(self, job_id: str, result: Result) -> None:
        """Raises Untrusted unless a worker that this party trusts, or itself, signed the result of this very job.

        A cancelled one may be a submitter's. Says nothing where the party names no workers.
        """
        problem = self._result_problem(job_id, result) if self.workers else ""
        if problem:
            raise Untrusted(
                f"the result of job {job_id} cannot be trusted: {problem}", hint=WHY.format("GPUJOB_TRUST_WORKERS")
            )

    def trusts_step(
        self, signature: Signature | None, digest: str, payload_sha256: str, size_bytes: int, facts: Mapping[str, Any]
    ) -> bool:
        """Whether a cached step may be used: always, until this worker has a key or names some, a submitter's among them."""
        known = self._own(self.workers)
        if not known:
            return self.uses_steps
        return not _problem(signature, lambda: step_bytes(digest, payload_sha256, size_bytes, facts), known)

    @property
    def uses_steps(self) -> bool:
        """Whether there can be a cached step that this worker may use: none, where it names submitters and knows no worker."""
        return bool(self._own(self.workers)) or not self.submitters

    def _result_problem(self, job_id: str, result: Result) -> str:
        if result.id != job_id:
            return "it is that of another job"
        known = self._own(self.workers)
        if result.state == "cancelled":
            known += self.submitters
        problem = _problem(result.signature, lambda: result_bytes(result), known)
        manifest = result.manifest
        if problem or manifest is None:
            return problem
        if (manifest.id, manifest.spec_sha256) != (job_id, result.spec_sha256):
            return "the job in it is another one"
        problem = self._submitter_problem(manifest)
        return f"the job that it names does not hold: {problem}" if problem else ""

    def _strange(self, manifest: Manifest | None) -> bool:
        return bool(self.submitters and manifest is not None and self._submitter_problem(manifest))

    def _submitter_problem(self, manifest: Manifest) -> str:
        """Why a job is none of a submitter that this party knows, itself among them; empty where it knows none."""
        known = self._own(self.submitters)
        return _manifest_problem(manifest, known) if known else ""

    def _own(self, others: tuple[PublicKey, ...]) -> tuple[PublicKey, ...]:
        return others if self.key is None else (*others, self.key.public)


NOBODY = Identity()
"""Signs nothing and believes everybody: a queue without signatures."""


def _without_hearsay(result: Result) -> Result:
    """The result without the names and messages of earlier attempts, which come from leases that anybody may have written."""
    history = tuple(past.model_copy(update={"worker": "", "message": ""}) for past in result.history)
    return result.model_copy(update={"history": history})


def _manifest_problem(manifest: Manifest, keys: Sequence[PublicKey]) -> str:
    problem = _problem(manifest.signature, lambda: manifest_bytes(manifest), keys)
    if not problem and not keeps_its_word(manifest):
        return "its spec_sha256 is not that of its spec and files"
    return problem


def _problem(signature: Signature | None, message: Callable[[], bytes], keys: Sequence[PublicKey]) -> str:
    """What is wrong with a signature, as the end of a sentence about what it signs; empty where nothing is."""
    if signature is None:
        return "it is not signed"
    known = [key for key in keys if key.id == signature.key]
    if not known:
        return f"it is signed with the key {signature.key}, which is not trusted here"
    try:
        value, text = base64.b64decode(signature.value, validate=True), message()
    except (binascii.Error, ValueError, RecursionError):
        return f"its signature with the key {signature.key} cannot be read"
    if any(key.verifies(value, text) for key in known):
        return ""
    return f"its signature with the key {signature.key} does not match: it was altered"
