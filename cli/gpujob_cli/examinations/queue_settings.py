"""What queue.json says. Invariant: a queue that cannot be read is told as what it is, never as one that is missing."""

from __future__ import annotations

from gpujob import queue
from gpujob.buckets.base import Bucket
from gpujob.errors import GpujobError
from gpujob.records import QueueConfig
from gpujob.specs.quantities import format_duration
from gpujob_cli.examinations.findings import Finding, broken


def read(bucket: Bucket, url: str) -> tuple[Finding, QueueConfig | None]:
    """What queue.json is like, and what is in it where it can be read."""
    try:
        config = queue.load(bucket)
    except GpujobError as error:
        return broken("queue", error), None
    if config is not None:
        return _good(config), config
    if url.startswith(("file:", "memory:")):
        return Finding("queue", "ok", "none yet; the first command makes one", facts={"there": False}), None
    return Finding("queue", "broken", "the bucket holds no queue", f"gpujob init {url}", facts={"there": False}), None


def _good(config: QueueConfig) -> Finding:
    life = f"ttl {format_duration(config.ttl_s)}, beat {format_duration(config.beat_s)}"
    kept = f"results kept {format_duration(config.retention_s)}"
    facts = {
        "there": True,
        "protocol": config.protocol,
        "ttl_s": config.ttl_s,
        "beat_s": config.beat_s,
        "retention_s": config.retention_s,
        "etag_style": config.etag_style,
        "signed": config.signed,
    }
    signed = ", jobs are signed" if config.signed else ""
    return Finding("queue", "ok", f"protocol {config.protocol}, {life}, {kept}{signed}", facts=facts)
