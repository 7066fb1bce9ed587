"""The workers of a queue, from their presence records: those that live, with their GPUs, and those that went silently.

Invariant: no more than a fixed number of records is read, however many there are, and none is believed to be well formed
or to be of the worker that its key names. What is no worker's crowds none out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from gpujob import keys
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.protocol.context import Context
from gpujob.protocol.listing import every_entry
from gpujob.protocol.presence import DEAD_AFTER, MOST_KEYS, MOST_WORKERS
from gpujob.records import Presence, decode
from gpujob.specs.quantities import format_size
from gpujob.why import gpu_memory_bytes
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.text import ago

MOST_READ = 50
MOST_SHOWN = 20
FORGOTTEN_S = 86400.0

Seen = tuple[Presence, float]


@dataclass(frozen=True)
class Crew:
    """The workers that live and those whose record went stale, each with its record's age in seconds."""

    live: tuple[Seen, ...] = ()
    stale: tuple[Seen, ...] = ()
    unread: int = 0


def read(ctx: Context) -> Crew:
    """The newest records, `MOST_READ` at most that are well formed; no more is listed or asked for than for `worker ls`."""
    entries = islice(every_entry(ctx, keys.WORKERS), MOST_KEYS)
    ours = [(entry, name) for entry in entries if (name := keys.parse_worker(entry.key)) is not None]
    recent = sorted(ours, key=lambda one: one[0].last_modified, reverse=True)
    now = ctx.store_now()
    live: list[Seen] = []
    stale: list[Seen] = []
    asked = 0
    for entry, name in recent[:MOST_WORKERS]:
        if len(live) + len(stale) == MOST_READ:
            break
        asked += 1
        presence = _presence(ctx, entry.key, name)
        if presence is not None:
            age_s = max(0.0, now - entry.last_modified)
            (live if age_s < presence.every_s * DEAD_AFTER else stale).append((presence, age_s))
    return Crew(tuple(live), tuple(stale), len(recent) - asked)


def of_crew(crew: Crew) -> Iterator[Finding]:
    """The finding on the workers, a line for each."""
    facts = {
        "live": [_facts(*one) for one in crew.live],
        "stale": [one.id for one, _ in crew.stale],
        "unread": crew.unread,
    }
    lines = [_line(*one) for one in crew.live[:MOST_SHOWN]]
    lines += [f"{one.id}: went without a word, last seen {ago(age_s)}" for one, age_s in crew.stale[:MOST_SHOWN]]
    warned = [f"{one.id}: {warning}" for one, _ in crew.live for warning in one.warnings]
    text = f"{len(crew.live)} live" if crew.live else "none is live"
    if crew.stale:
        text += f", {len(crew.stale)} stale"
    if crew.unread:
        text += f", {crew.unread} older records not read"
    forgotten = any(age_s > FORGOTTEN_S for _, age_s in crew.stale)
    next_ = "" if crew.live else "gpujob worker run"
    if forgotten and crew.live:
        next_ = "`gpujob gc` removes records that are older than a day"
    status = "ok" if crew.live and not warned and not forgotten else "note"
    yield Finding("workers", status, "; ".join([text, *warned[:MOST_SHOWN]]), next_, tuple(lines), facts)  # type: ignore[arg-type]


def _presence(ctx: Context, key: str, worker_id: str) -> Presence | None:
    try:
        found = ctx.get(key)
        return None if found is None else decode(Presence, key, found.body, whose=worker_id)
    except (CorruptRecord, WrongProtocol):
        return None


def _line(worker: Presence, age_s: float) -> str:
    memory = gpu_memory_bytes(worker)
    gpu = _gpu(worker) or "no GPU"
    parts = [
        f"{worker.id}: {gpu}{f', {format_size(memory)}' if memory else ''}",
        f"{worker.state}, told to {worker.control}" if worker.control else worker.state,
        f"serves {', '.join(worker.kinds) or 'nothing'}",
    ]
    if worker.warm:
        parts.append(f"warm for {', '.join(worker.warm)}")
    return "; ".join([*parts, f"seen {ago(age_s)}"])


def _facts(worker: Presence, age_s: float) -> dict[str, object]:
    return {
        "id": worker.id,
        "gpu": _gpu(worker),
        "gpu_memory_bytes": gpu_memory_bytes(worker),
        "state": worker.state,
        "kinds": list(worker.kinds),
        "warm": list(worker.warm),
        "job": worker.job,
        "age_s": round(age_s, 1),
    }


def _gpu(worker: Presence) -> str:
    name = worker.machine.get("gpu")
    return name[:80] if isinstance(name, str) else ""
