"""What `doctor` looks at on this machine and in the store; each finding carries the next command.

Invariant: examining changes nothing but the probe's scratch, and one thing that is broken hides no other.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal

from gpujob import keys, models, queue, settings
from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import open_bucket, parse_url
from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.errors import Busy, GpujobError, Unavailable
from gpujob.probe import probe
from gpujob.protocol.context import Context
from gpujob.protocol.presence import live_workers
from gpujob.records import QueueConfig
from gpujob.specs.quantities import format_duration, format_size
from gpujob_cli import accelerators, costs
from gpujob_cli.session import Session

TRIALS = 5
FAR_OFF_S = 5.0

Status = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """One line of the report; `next` is what to do about it."""

    check: str
    status: Status
    text: str
    next: str = ""


def examine(session: Session, *, with_probe: bool) -> Iterator[Finding]:
    """Everything, in the order in which one thing rests on another."""
    yield from _settings(session)
    yield from _machine()
    yield from _store(session, with_probe)


def _settings(session: Session) -> Iterator[Finding]:
    origin = session.loaded.origins.get("store", "the default: no store is set")
    yield Finding("store", "ok", f"{session.url} (from {origin})")
    for name in settings.without_effect():
        yield Finding(
            "old name",
            "note",
            f"{name} is set and has no effect: it belongs to a gateway or bridge that this version does not have",
            f"unset {name}",
        )


def _machine() -> Iterator[Finding]:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg:
        yield Finding("ffmpeg", "ok", ffmpeg)
    else:
        yield Finding(
            "ffmpeg", "note", "not on the PATH: without it, or imageio-ffmpeg, no video.encode here", "install ffmpeg"
        )
    here = models.installed()
    if here:
        names = ", ".join(f"{one.name} ({format_size(one.size_bytes)})" for one in here)
        yield Finding("models", "ok", names)
    else:
        yield Finding("models", "note", "none on this machine: it cannot speak yet", "gpujob models pull kokoro")
    builds = accelerators.installed_builds()
    trap = accelerators.trap(builds, gpu=accelerators.gpu_present())
    if trap is not None:
        yield Finding("gpu", "broken" if len(builds) > 1 else "note", trap, accelerators.SET_UP)


def _store(session: Session, with_probe: bool) -> Iterator[Finding]:
    try:
        bucket = open_bucket(session.url)
    except GpujobError as error:
        yield _broken("store", error)
        return
    yield from _credentials(session.url)
    reached = _latency(bucket)
    yield reached
    if reached.status == "broken":
        return
    config = yield from _queue(session, bucket)
    style = config.etag_style if config is not None else "quoted"
    bucket = open_bucket(session.url, etag_style=style)
    yield _tried("clock", lambda: _clock(bucket))
    if with_probe:
        yield _tried("safety", lambda: _safety(bucket))
    yield from _of_s3(session.url, style)
    yield _tried("workers", lambda: _workers(bucket, config or QueueConfig()))
    yield _cost(bucket, config or QueueConfig())


def _credentials(url: str) -> Iterator[Finding]:
    if parse_url(url).scheme != "s3":
        return
    from gpujob_cli.s3_facts import credentials_from

    found = credentials_from()
    if found is None:
        remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        yield Finding("credentials", "broken", "none found in botocore's chain", remedy)
    else:
        yield Finding("credentials", "ok", f"found by {found}")


def _latency(bucket: Bucket) -> Finding:
    times = []
    try:
        for _ in range(TRIALS):
            started_s = SYSTEM.elapsed()
            bucket.list(keys.WORKERS, limit=1)
            times.append(1000 * (SYSTEM.elapsed() - started_s))
    except (Unavailable, Busy) as error:
        return Finding("reach", "broken", error.message, error.hint or "check the network and AWS_ENDPOINT_URL_S3")
    except GpujobError as error:
        return _broken("reach", error)
    return Finding("reach", "ok", f"answers in {statistics.median(times):.1f} ms (the median of {TRIALS})")


def _queue(session: Session, bucket: Bucket) -> Generator[Finding, None, QueueConfig | None]:
    """Yields what queue.json is like; returns it."""
    try:
        config = queue.load(bucket)
    except GpujobError as error:
        yield _broken("queue", error)
        return None
    if config is not None:
        life = f"ttl {format_duration(config.ttl_s)}, beat {format_duration(config.beat_s)}"
        kept = f"results kept {format_duration(config.retention_s)}"
        yield Finding("queue", "ok", f"protocol {config.protocol}, {life}, {kept}")
    elif session.url.startswith(("file:", "memory:")):
        yield Finding("queue", "ok", "none yet; the first command makes one")
    else:
        yield Finding("queue", "broken", "the bucket holds no queue", f"gpujob init {session.url}")
    return config


def _clock(bucket: Bucket) -> Finding:
    before = SYSTEM.now()
    date = bucket.list(keys.WORKERS, limit=1).date
    after = SYSTEM.now()
    off_s = max(date - after, before - 1 - date, 0.0)  # HTTP dates are whole seconds
    if off_s <= FAR_OFF_S:
        return Finding("clock", "ok", "this machine and the store agree")
    text = f"this machine is {format_duration(off_s)} {'behind' if date > after else 'ahead of'} the store"
    return Finding("clock", "note", f"{text}; ids sort by it, nothing else rests on it", "set this machine's clock")


def _safety(bucket: Bucket) -> Finding:
    verdict = probe(bucket, runtime=SYSTEM, rng=system_random())
    if not verdict.safe:
        return Finding("safety", "broken", verdict.reason or "it failed the probe", f"use {verdict.use_instead}")
    seconds = sum(row.ms for row in verdict.checks) / 1000
    return Finding("safety", "ok", f"conditional writes and {format_duration(seconds)} of checks and races passed")


def _of_s3(url: str, style: str) -> Iterator[Finding]:
    store = parse_url(url)
    if store.scheme != "s3":
        return
    from gpujob_cli import s3_facts

    yield Finding(
        "checksums", "ok", f"sent only where the store requires them; our own sha256 on every file; {style} versions"
    )
    if s3_facts.keeps_versions(store.place):
        yield Finding("versions", "note", s3_facts.VERSIONS_KEPT, s3_facts.VERSIONS_HINT)


def _workers(bucket: Bucket, config: QueueConfig) -> Finding:
    found = live_workers(Context(bucket, SYSTEM, system_random(), config))
    if not found:
        return Finding("workers", "note", "none is live", "gpujob worker run")
    names = ", ".join(f"{one.id} ({', '.join(one.kinds)})" for one, _ in found)
    warned = [f"{one.id}: {warning}" for one, _ in found for warning in one.warnings]
    return Finding("workers", "note" if warned else "ok", "; ".join([f"{len(found)} live: {names}", *warned]))


def _cost(bucket: Bucket, config: QueueConfig) -> Finding:
    month = costs.idle_worker(config)
    text = f"one idle worker polls with about {month.writes + month.reads:,.0f} requests a month"
    job = f"a job takes {costs.ONE_JOB.writes:.0f} PUT and {costs.ONE_JOB.reads:.0f} GET"
    prices = costs.prices_at(getattr(bucket, "endpoint", ""))
    if prices is None:
        return Finding("cost", "ok", f"{text}; {job}; requests to this store are not billed as far as is known")
    thousand = 1000 * (costs.ONE_JOB.writes * prices.writes + costs.ONE_JOB.reads * prices.reads) / 1000
    billed = f"${prices.of_requests(month):.2f} on {prices.of}"
    return Finding("cost", "ok", f"{text}, {billed}; {job}, ${thousand:.3f} for a thousand jobs")


def _tried(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except GpujobError as error:
        return _broken(check, error)


def _broken(check: str, error: GpujobError) -> Finding:
    from gpujob_cli.errors import explain

    told = explain(error)
    return Finding(check, "broken", told.message, told.hint)
