"""Where requests go, how fast the answers come, and what the store's clock says.

Invariant: what is written for the measurement stands below `probe/`, is removed again, and is not written at all where
nobody wants the store to be tried.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.chance import nonce, system_random
from gpujob.clock import SYSTEM
from gpujob.errors import Busy, Denied, GpujobError, Unavailable
from gpujob.specs.quantities import format_duration
from gpujob_cli.examinations.findings import Finding, broken
from gpujob_cli.examinations.s3_asking import S3Asking

TRIALS = 5
FAR_OFF_S = 5.0
SIGNATURES_S = 900.0
SLOW_MS = 1000.0
"""A median above this makes a beat of a second or two late, and a claim a matter of many seconds."""


def endpoint(asking: S3Asking) -> Iterator[Finding]:
    """The server's address, the region, and how the bucket is named in a request."""
    place = asking.place.endpoint
    style = _style(asking)
    here, there = asking.client.meta.region_name, _region(asking)
    server = f", {asking.server}" if asking.server else ""
    facts = {"address": place, "region": here, "bucket_region": there, "style": style, "server": asking.server}
    plain = urlsplit(place).scheme == "http"
    text = f"{place}{server}, region {here}, {style} style, {'plain http' if plain else 'TLS'}"
    if plain and not asking.on_loopback:
        text += ": whoever is on the way can read all texts and results"
        yield Finding("endpoint", "note", text, "give the server a certificate, and an https:// endpoint", facts=facts)
    elif there and here not in (there, "aws-global"):
        text += f"; the bucket is in {there}, which every process finds out anew"
        yield Finding("endpoint", "note", text, f"set AWS_DEFAULT_REGION={there}", facts=facts)
    else:
        yield Finding("endpoint", "ok", text, facts=facts)


def _style(asking: S3Asking) -> str:
    """`path` or `virtual`, as botocore itself would write the address. Signs, and sends nothing."""
    if asking.clients.dialect is not None:
        return "path"
    try:
        url = asking.client.generate_presigned_url("head_bucket", Params={"Bucket": asking.name})
    except (BotoCoreError, ClientError):
        return "path" if not asking.is_amazon else "virtual"
    return "virtual" if (urlsplit(url).hostname or "").startswith(f"{asking.name}.") else "path"


def _region(asking: S3Asking) -> str:
    return str(asking.heading.headers.get("x-amz-bucket-region", ""))


def latency(bucket: Bucket, *, write: bool) -> Iterator[Finding]:
    """How fast the store answers; broken where it does not, or not to us."""
    try:
        _warm_up(bucket)
        times = _measured(bucket, write)
    except (Unavailable, Busy) as error:
        remedy = error.hint or "check the network and AWS_ENDPOINT_URL_S3"
        yield Finding("reach", "broken", error.message, remedy)
        return
    except GpujobError as error:
        yield broken("reach", error)
        return
    median = statistics.median([one for took in times.values() for one in took])
    each = ", ".join(f"{verb} {statistics.median(took):.1f}, worst {max(took):.1f}" for verb, took in times.items())
    facts = {
        verb: {"median_ms": round(statistics.median(took), 1), "worst_ms": round(max(took), 1)}
        for verb, took in times.items()
    }
    text = f"answers in {median:.1f} ms (medians of {TRIALS}: {each})"
    if median > SLOW_MS:
        yield Finding(
            "reach", "note", f"{text}: slow", "a store nearer to this machine, or a longer --beat", facts=facts
        )
    else:
        yield Finding("reach", "ok", text, facts=facts)


def _summary(took: list[float]) -> dict[str, float]:
    return {"median_ms": round(statistics.median(took), 1), "worst_ms": round(max(took), 1)}


def _warm_up(bucket: Bucket) -> None:
    """Opens the connection; a store that refuses our clock has said the time then, and is asked again."""
    try:
        bucket.list(keys.WORKERS, limit=1)
    except Busy:
        bucket.list(keys.WORKERS, limit=1)


def _measured(bucket: Bucket, write: bool) -> dict[str, list[float]]:
    """Milliseconds of each request, by verb."""
    scratch = [f"probe/{nonce(system_random())}/{number}" for number in range(TRIALS)] if write else []
    times: dict[str, list[float]] = {}
    try:
        times["PUT"] = [_ms(lambda key=key: bucket.create(key, b"{}")) for key in scratch]  # type: ignore[misc]
    except Denied:
        scratch = []
    wanted = scratch or [keys.QUEUE] * TRIALS
    times["GET"] = [_ms(lambda key=key: bucket.get(key)) for key in wanted]  # type: ignore[misc]
    times["LIST"] = [_ms(lambda: bucket.list(keys.WORKERS, limit=1)) for _ in range(TRIALS)]
    for key in scratch:
        bucket.delete(key)
    return {verb: took for verb, took in times.items() if took}


def _ms(request: Callable[[], object]) -> float:
    started_s = SYSTEM.elapsed()
    request()
    return 1000 * (SYSTEM.elapsed() - started_s)


def clock(bucket: Bucket) -> Iterator[Finding]:
    """How far this machine's clock is from the store's, and what that does."""
    before = SYSTEM.now()
    date = bucket.list(keys.WORKERS, limit=1).date
    after = SYSTEM.now()
    off_s = max(date - after, before - 1 - date, 0.0)  # HTTP dates are whole seconds
    facts = {"off_s": round(off_s, 3), "ahead": date < before}
    if off_s <= FAR_OFF_S:
        yield Finding("clock", "ok", "this machine and the store agree", facts=facts)
        return
    amount = format_duration(round(off_s) if off_s < 120 else 60 * round(off_s / 60))
    text = f"this machine is {amount} {'behind' if date > after else 'ahead of'} the store"
    text += "; ids sort by it, nothing else rests on it"
    if off_s > SIGNATURES_S:
        text += ", and where the store minds, requests are signed for its own time"
    yield Finding("clock", "note", text, "set this machine's clock", facts=facts)
