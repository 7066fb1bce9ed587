"""A worker prefers what it is warm for, and only while that starves nobody."""

from __future__ import annotations

from gpujob import JobStore
from gpujob.buckets.memory import MemoryBucket
from gpujob.chance import Random
from gpujob.specs import parse_object
from gpujob.testing.store_setting import ManualRuntime, TimeMachine


def queue() -> tuple[JobStore, ManualRuntime]:
    machine = TimeMachine(MemoryBucket(now=lambda: 1_750_000_000.0))
    clock = ManualRuntime(machine)
    return JobStore(machine, runtime=clock, rng=Random(7)), clock


def submit(store: JobStore, kind: str, priority: str = "normal") -> str:
    spec = parse_object({"kind": kind, "input": {}, "priority": priority}, known_kinds=("cold.kind", "warm.kind"))
    return store.submit(spec).id


def kinds_in_order(store: JobStore, count: int) -> list[str]:
    finder = store.poller("w", serves_kind=lambda kind: True, serves=lambda manifest: True, prefers="warm.kind".__eq__)
    found = []
    for _ in range(count):
        held = finder.next()
        assert held is not None
        found.append(held.manifest.kind)
    return found


def test_warm_ones_come_first_among_the_young() -> None:
    store, _ = queue()
    for kind in ("cold.kind", "warm.kind", "cold.kind", "warm.kind"):
        submit(store, kind)
    assert kinds_in_order(store, 4) == ["warm.kind", "warm.kind", "cold.kind", "cold.kind"]


def test_a_cold_one_that_has_waited_long_is_not_passed_over() -> None:
    store, clock = queue()
    submit(store, "cold.kind")
    clock.sleep(31)
    for _ in range(200):
        submit(store, "warm.kind")
    taken = kinds_in_order(store, 60)
    assert "cold.kind" in taken


def test_a_backlog_of_warm_ones_holds_a_cold_one_up_for_half_a_minute_at_most() -> None:
    """Without the bound the cold one, oldest of 300, would come last."""
    store, clock = queue()
    submit(store, "cold.kind")
    for _ in range(300):
        submit(store, "warm.kind")
    finder = store.poller("w", serves_kind=lambda kind: True, serves=lambda manifest: True, prefers="warm.kind".__eq__)
    taken = 0
    while taken < 300:
        held = finder.next()
        while held is None:
            clock.sleep(finder.wait_s())
            held = finder.next()
        if held.manifest.kind == "cold.kind":
            break
        taken += 1
        clock.sleep(1)
    assert 20 <= taken <= 80


def test_priority_beats_warmth() -> None:
    store, _ = queue()
    submit(store, "warm.kind")
    submit(store, "cold.kind", "high")
    assert kinds_in_order(store, 2) == ["cold.kind", "warm.kind"]
