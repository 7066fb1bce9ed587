"""Whose signatures count, by this machine's settings and the queue's. Invariant: no key is read from the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpujob.records import QueueConfig
from gpujob.signing.identity import Identity
from gpujob.signing.public import PublicKey
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.session import Session

MAKE_A_KEY = "gpujob keys new"
NAME_A_KEY = (
    "set GPUJOB_TRUST_WORKERS to the public keys that `gpujob keys ls` prints on your workers (docs/signing.md)"
)


def look(session: Session, config: QueueConfig) -> Iterator[Finding]:
    """What the settings come to. Raises Configuration for a key that is named and cannot be used."""
    yield of_identity(session.identity, config)


def of_identity(identity: Identity, config: QueueConfig) -> Finding:
    """What this machine signs and believes, and what a queue of signed jobs still asks of it."""
    facts = {
        "queue_signed": config.signed,
        "key": identity.key.public.id if identity.key is not None else "",
        "submitters": [key.id for key in identity.submitters],
        "workers": [key.id for key in identity.workers],
    }
    if identity.key is None and not (identity.submitters or identity.workers):
        if not config.signed:
            return Finding("signing", "ok", "off: whoever may write into the bucket is believed", facts=facts)
        text = "this queue takes signed jobs only, and here nothing is signed and nobody's key is known"
        return Finding("signing", "note", text, MAKE_A_KEY, facts=facts)
    signs = "signs nothing" if identity.key is None else f"signs with the key {identity.key.public.id}"
    text = f"{signs}; runs jobs of {_whom(identity.submitters)}, believes results of {_whom(identity.workers)}"
    alone = not (identity.submitters or identity.workers)
    lines = tuple(_lacks(identity, config))
    return Finding("signing", "note" if alone else "ok", text, NAME_A_KEY if alone else "", lines, facts)


def _lacks(identity: Identity, config: QueueConfig) -> Iterator[str]:
    """What a submitter, a worker and one who waits would each lack here; nobody is all three."""
    if identity.key is None:
        yield "what is submitted or finished here cannot be told from a forgery: GPUJOB_SIGN_WITH"
    if config.signed and not identity.submitters:
        yield "a worker would not start here: GPUJOB_TRUST_SUBMITTERS names no key"
    if not identity.workers:
        yield "whoever waits here believes the result of anybody: GPUJOB_TRUST_WORKERS names no key"


def _whom(keys: Sequence[PublicKey]) -> str:
    return f"{len(keys)} key{'s' * (len(keys) > 1)}" if keys else "anybody"
