"""The step cache: results of single steps by content, in the bucket, shared by all workers of a queue.

Invariant: what `get` hands out is the payload whose sha256 the facts name, whole. Everything else, from a corrupt
record to a store that does not answer, is a miss: the cache can make a job faster, never make it fail. Where the
worker has a key or names some, so is what none of these signed, and the step that it computes then takes its place. A
worker that names submitters alone looks for none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.chance import token
from gpujob.errors import ChecksumMismatch, GpujobError, PreconditionFailed, Untrusted
from gpujob.protocol.context import Context, log
from gpujob.records import PROTOCOL, Record, Signature, canonical_json, decode
from gpujob.signing.identity import NOBODY

MAX_PAYLOAD_BYTES = 64 * 1000 * 1000
MAX_FACTS_BYTES = 64 * 1024

Mode = Literal["auto", "refresh", "off"]


class CachedStep(Record):
    """cache/<digest>.json: what is known of a step's payload."""

    protocol: int = PROTOCOL
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0, le=MAX_PAYLOAD_BYTES)
    facts: dict[str, Any] = Field(default_factory=dict)
    signature: Signature | None = None


class BucketStepCache:
    """The cache of one queue. `auto` reads and writes, `refresh` computes anew and writes, `off` does neither."""

    def __init__(self, store: Bucket | Context, mode: Mode = "auto") -> None:
        self._bucket = store.bucket if isinstance(store, Context) else store
        self._identity = store.identity if isinstance(store, Context) else NOBODY
        self._mode = mode
        self._poisoned: set[str] = set()

    def get(self, key: Mapping[str, Any], target: Path) -> Mapping[str, Any] | None:
        """Fetches the payload of an earlier equal step into `target` and returns its facts; None where there is none."""
        if self._mode != "auto" or not self._identity.uses_steps:
            return None
        digest = digest_of(key)
        entry_key = keys.cache_entry(digest)
        try:
            found = self._bucket.get(entry_key, max_bytes=MAX_FACTS_BYTES)
            if found is None:
                return None
            self._poisoned.add(entry_key)
            entry = decode(CachedStep, entry_key, found.body, max_bytes=MAX_FACTS_BYTES)
            self._require_trust(digest, entry)
            self._poisoned.remove(entry_key)
            self._fetch(keys.cache_payload(digest, entry.sha256), entry, target)
        except (GpujobError, OSError) as error:
            log.warning("the step cache is passed over: %s", error)
            return None
        return entry.facts

    def put(self, key: Mapping[str, Any], payload: Path, facts: Mapping[str, Any]) -> None:
        """Keeps a step's payload and facts. Best effort: a failure is one line in the log."""
        if self._mode == "off":
            return
        digest = digest_of(key)
        try:
            if payload.stat().st_size > MAX_PAYLOAD_BYTES:
                return
            body = payload.read_bytes()
            entry = CachedStep(sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body), facts=dict(facts))
            record = self._signed(digest, entry).body()
            if len(record) > MAX_FACTS_BYTES:
                return
            self._keep(keys.cache_payload(digest, entry.sha256), body)
            self._keep(keys.cache_entry(digest), record, renew=self._mode == "refresh")
        except (GpujobError, OSError, ValueError) as error:
            log.warning("a step is not kept in the cache: %s", error)

    def _require_trust(self, digest: str, entry: CachedStep) -> None:
        if not self._identity.trusts_step(entry.signature, digest, entry.sha256, entry.size_bytes, entry.facts):
            raise Untrusted(f"{keys.cache_entry(digest)} is not signed with a key that this worker trusts")

    def _signed(self, digest: str, entry: CachedStep) -> CachedStep:
        read = CachedStep.model_validate_json(entry.body())  # as everybody else will read it
        signature = self._identity.step_signature(digest, read.sha256, read.size_bytes, read.facts)
        return entry.model_copy(update={"signature": signature})

    def _fetch(self, key: str, entry: CachedStep, target: Path) -> None:
        part = target.with_name(f".{target.name}.{token()}.part")
        try:
            with self._bucket.download(key) as chunks, part.open("wb") as stream:
                if chunks is None:
                    raise ChecksumMismatch(f"{key} is missing")
                digest, size_bytes = hashlib.sha256(), 0
                for chunk in chunks:
                    size_bytes += len(chunk)
                    if size_bytes > entry.size_bytes:
                        break
                    digest.update(chunk)
                    stream.write(chunk)
            if size_bytes != entry.size_bytes or digest.hexdigest() != entry.sha256:
                self._poisoned.add(key)
                raise ChecksumMismatch(f"{key} is not what its name says")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _keep(self, key: str, body: bytes, *, renew: bool = False) -> None:
        """Puts the object if absent; over one that is known to be poisoned, or to be renewed, if its version matches."""
        try:
            self._bucket.create(key, body)
        except PreconditionFailed:
            if not renew and key not in self._poisoned:
                return
            standing = self._bucket.head(key)
            if standing is not None:
                self._bucket.replace(key, body, standing.version)
        self._poisoned.discard(key)


def digest_of(key: Mapping[str, Any]) -> str:
    """The address of a step: the sha256 of its key's canonical JSON."""
    return hashlib.sha256(canonical_json(dict(key))).hexdigest()
