"""The order of `doctor`: this machine, then the store, then the queue, each resting on what came before.

Invariant: examining changes nothing but the probe's scratch, and one thing that is broken hides no other that could be
looked at without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import endpoint_of, open_bucket, parse_url
from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.errors import Denied, GpujobError
from gpujob.protocol.context import Context
from gpujob.records import QueueConfig
from gpujob_cli.examinations import backlog, bill, crew, queue_settings, reaching, safety, signatures, this_machine
from gpujob_cli.examinations.findings import Finding, bounded, broken, together
from gpujob_cli.session import Session

if TYPE_CHECKING:
    from gpujob_cli.examinations.s3_asking import S3Asking


@dataclass(frozen=True)
class Wish:
    """What the person asked for: to try the store's conditional writes, and how hard."""

    probe: bool = True
    effort: safety.Effort = field(default_factory=safety.Effort)


def examine(session: Session, wish: Wish) -> Iterator[Finding]:
    """Everything, in the order in which one thing rests on another. Commands that need the store's URL get it."""
    for finding in _everything(session, wish):
        yield replace(finding, next=finding.next.replace("gpujob init URL", f"gpujob init {session.url}"))


def _everything(session: Session, wish: Wish) -> Iterator[Finding]:
    yield from this_machine.look(session)
    try:
        bucket, asking = _opened(session.url)
    except GpujobError as error:
        yield broken("credentials" if isinstance(error, Denied) else "endpoint", error)
        return
    if asking is not None:
        yield from _way(bucket, asking)
    reached = bounded("reach", lambda: reaching.latency(bucket, write=wish.probe), late="broken")
    yield from reached
    if not any(one.status == "broken" for one in reached):
        yield from _store_and_queue(session, wish, bucket, asking)
    elif asking is not None and asking.heading.kind != "silent":  # it answers, though not as it should
        yield from _whom_it_takes_us_for(bucket, asking)


def _way(bucket: Bucket, asking: S3Asking) -> Iterator[Finding]:
    """Who asks, and where."""
    from gpujob_cli.examinations import credentials, google_store

    if google_store.is_google(bucket):
        yield from bounded("credentials", google_store.credentials)
    else:
        yield from bounded("credentials", lambda: credentials.look(asking.clients.session))
    yield from bounded("endpoint", lambda: reaching.endpoint(asking))


def _store_and_queue(session: Session, wish: Wish, bucket: Bucket, asking: S3Asking | None) -> Iterator[Finding]:
    """What an answering store says. The queue's settings are read first, since much is judged by them."""
    queue, config = queue_settings.read(bucket, session.url)
    style = config.etag_style if config is not None else "quoted"
    known = config or QueueConfig()
    yield from bounded("clock", lambda: reaching.clock(bucket))
    if asking is not None:
        yield from _of_bucket(asking, bucket, known, style)
    if wish.probe:
        patient = open_bucket(session.url, etag_style=style)
        limit_s = wish.effort.limit_s
        yield from bounded("safety", lambda: safety.tried(patient, config, wish.effort), limit_s=limit_s)
    else:
        yield from safety.not_tried(config)
    yield queue
    yield from bounded("signing", lambda: signatures.look(session, known))
    yield from _of_queue(Context(bucket, SYSTEM, system_random(), known), known)


def _whom_it_takes_us_for(bucket: Bucket, asking: S3Asking) -> Iterator[Finding]:
    from gpujob_cli.examinations import google_store, identity

    if google_store.is_google(bucket):
        yield from bounded("identity", lambda: google_store.identity(bucket))
    else:
        yield from bounded("identity", lambda: identity.look(asking))


def _of_bucket(asking: S3Asking, bucket: Bucket, config: QueueConfig, style: str) -> Iterator[Finding]:
    from gpujob_cli.examinations import bucket_settings, google_store, identity, public_access, rights

    if google_store.is_google(bucket):
        yield from google_store.look(bucket, asking, config)
        return
    yield from together(
        [
            ("identity", lambda: identity.look(asking)),
            ("rights", lambda: rights.look(asking)),
            ("public", lambda: public_access.look(asking)),
        ]
    )
    text = f"sent only where the store requires them; our own sha256 on every file; {style} versions"
    yield Finding("checksums", "ok", text, facts={"mode": "when_required", "etag_style": style})
    yield from bounded("versions", lambda: bucket_settings.look(asking, bucket, config))


def _of_queue(ctx: Context, config: QueueConfig) -> Iterator[Finding]:
    seen: list[crew.Crew] = []

    def workers() -> Iterator[Finding]:
        seen.append(crew.read(ctx))
        yield from crew.of_crew(seen[0])

    yield from bounded("workers", workers)
    yield from bounded("jobs", lambda: backlog.look(ctx))
    live = len(seen[0].live) if seen else 0
    yield bill.of_queue(config, live, endpoint_of(ctx.bucket))


def _opened(url: str) -> tuple[Bucket, S3Asking | None]:
    """The bucket with short time-outs, and what asks it for more than the verbs do."""
    store = parse_url(url)
    if store.scheme not in ("s3", "gs"):
        return open_bucket(url), None
    from gpujob.buckets.gcs import open_gcs
    from gpujob.buckets.s3 import open_s3
    from gpujob_cli.examinations.s3_asking import QUICK, S3Asking

    opening = open_gcs if store.scheme == "gs" else open_s3
    bucket = opening(store.place, store.prefix, timeouts=QUICK)
    return bucket, S3Asking(bucket.place)
