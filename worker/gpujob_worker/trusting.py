"""Which jobs a worker runs by who signed them: the keys are in its own settings, never read from the bucket.

Invariant: a job is looked at each time before it is claimed or taken over; one that is refused is left where it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from gpujob.errors import Configuration
from gpujob.records import Manifest
from gpujob.signing.identity import Identity
from gpujob.store import JobStore

log = logging.getLogger("gpujob.worker")

MOST_REMEMBERED = 10_000


class Doorkeeper:
    """Admits the jobs that one of `identity.submitters` signed, and all where none is named. `now` is the store's clock."""

    def __init__(self, identity: Identity, now: Callable[[], float]) -> None:
        self._identity = identity
        self._now = now
        self._refused: set[str] = set()

    def admits(self, manifest: Manifest) -> bool:
        """Whether this worker may run the job; the first refusal of each is a line in the log."""
        problem = self._identity.job_problem(manifest, self._now())
        if problem and manifest.id not in self._refused:
            if len(self._refused) >= MOST_REMEMBERED:
                self._refused.clear()
            self._refused.add(manifest.id)
            log.warning("refused %s: %s", manifest.id, problem)
        return not problem


def require_trust(store: JobStore) -> None:
    """Raises Configuration where a queue takes signed jobs only and this worker would run any."""
    if store.config.signed and not store.identity.submitters:
        raise Configuration(
            f"{store.bucket.url} takes signed jobs only, and this worker knows no submitter's key",
            hint="Name their public keys in GPUJOB_TRUST_SUBMITTERS; `gpujob keys ls` prints them where they submit.",
        )


def describe(store: JobStore) -> list[str]:
    """What to say at the start: whose jobs are run, and whether anybody can tell that a result is this worker's."""
    identity = store.identity
    lines = []
    if identity.submitters:
        lines.append(f"runs only jobs signed with {_keys(identity)}")
    if not identity.uses_steps:
        lines.append(
            "uses no cached step, for it knows no worker's key: name those whose steps it may use in GPUJOB_TRUST_WORKERS, "
            "or a key of its own in GPUJOB_SIGN_WITH"
        )
    if identity.key is not None:
        lines.append(f"signs results with the key {identity.key.public.id}")
    elif store.config.signed:
        lines.append("has no key (GPUJOB_SIGN_WITH): who waits with GPUJOB_TRUST_WORKERS will not believe its results")
    return lines


def _keys(identity: Identity) -> str:
    ids = [key.id for key in identity.submitters]
    return f"the key {ids[0]}" if len(ids) == 1 else f"one of the keys {', '.join(ids)}"
