"""One schedule: a cast of parties, trouble by a policy, then a quiet system that has to bring everything to rest.

Invariant: a schedule is a function of its profile, its seed and the code under test; the report's trace says each step.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any

from gpujob.buckets.retrying import RetryingBucket
from gpujob.records import QueueConfig
from gpujob.store import JobStore
from gpujob_worker.attempt import Attempt, Crew
from tests.simulation.ledger import Ledger, Violation
from tests.simulation.parties import CONFIG, SHORT_RETENTION, Cast, Script, SimExecutor, job_manifest
from tests.simulation.policy import RandomPolicy
from tests.simulation.profiles import Profile
from tests.simulation.runtime import SimRuntime
from tests.simulation.store import SimBucket, SimStore
from tests.simulation.world import Party, World


@dataclass
class Report:
    """What became of a schedule."""

    violation: str = ""
    steps: int = 0
    runs: int = 0
    ends: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)  # of an exhaustive schedule: how many ways each step could go


@dataclass
class Stage:
    """A world with its store, before the parties enter."""

    world: World
    ledger: Ledger
    store: SimStore
    cast: Cast


def build(
    rng: Random,
    script_for: Callable[[str, int], Script],
    *,
    traced: bool = False,
    retrying: bool = False,
    config: QueueConfig = CONFIG,
    **how: bool,
) -> Stage:
    """An empty stage; `rng` feeds the parties' own generators."""
    world = World(trace=[] if traced else None)
    ledger = Ledger()
    store = SimStore(world, ledger, **how)

    def connect(party: Party) -> JobStore:
        runtime = SimRuntime(world, party)
        own = Random(rng.getrandbits(64))
        bucket: Any = SimBucket(world, party, store, lambda writes: rng.randint(1, max(1, min(writes, 12))))
        if retrying:
            bucket = RetryingBucket(bucket, runtime, own)
        return JobStore(bucket, config=config, runtime=runtime, rng=own, patience_s=60.0)

    cast = Cast(world, ledger, connect, SimExecutor(world, ledger, script_for))
    return Stage(world, ledger, store, cast)


def run_seed(profile: Profile, seed: int, *, traced: bool = False, variant: Any = None) -> Report:
    """The schedule of a profile and a seed. `variant` is a naive change of the code under test, or none."""
    rng = Random(f"{profile.name} {seed}")
    breaking: AbstractContextManager[Any] = variant.applied() if variant is not None else nullcontext()
    with breaking:
        stage = build(
            rng,
            lambda job, attempt: _script(profile, rng),
            traced=traced,
            retrying=rng.random() < profile.retrying,
            config=SHORT_RETENTION if profile.removal else CONFIG,
            by_content=rng.random() < 0.5,
            coarse=rng.random() < 0.2,
            revives=rng.random() < 0.3,
        )
        if variant is not None:
            variant.prepare(stage)
        return play(stage, lambda: _perform(stage, profile, rng), rng)


def play(stage: Stage, trouble: Callable[[], None], rng: Random) -> Report:
    """Plays the trouble, then the quiet end; catches what must not be."""
    report = Report()
    world = stage.world
    try:
        trouble()
        world.close()
        _quiet_end(stage, rng)
    except Violation as violation:
        report.violation = str(violation)
    except Exception as error:  # noqa: BLE001  whatever ends a party is a finding
        report.violation = _finding(error)
    finally:
        world.close()
    report.steps, report.runs = world.steps, stage.ledger.runs
    report.ends = [facts.result.state for facts in stage.ledger.jobs.values() if facts.result is not None]
    if report.violation:
        world.say(f"VIOLATION: {report.violation}")
    report.trace = world.trace or []
    return report


def _finding(error: Exception) -> str:
    """An exception that escaped a party, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" (at {frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def _perform(stage: Stage, profile: Profile, rng: Random) -> None:
    cast = stage.cast
    ids = _submitters(cast, profile, rng)
    for number in range(rng.randint(*profile.workers)):
        cast.worker(
            f"w{number}",
            presence=profile.presence,
            sweeping=profile.sweeping,
            skew_s=rng.choice((0.0, -9000.0, 9000.0)),
        )
    if rng.random() < profile.cancel:
        cast.canceller("canceller", rng.choice(ids), rng.random() * 40)
    if rng.random() < 0.2:
        cast.waiter("waiter", rng.choice(ids), rng.random() * 10)
    if profile.removal:
        stage.ledger.removal_is_on = True
        stage.ledger.may_return = profile.same_key > 0
        cast.collector("collector", ids)
    policy = RandomPolicy(stage.world, profile, rng, stage.ledger.at_rest)
    steps = rng.randint(*profile.steps)
    policy.run(steps // 2)
    if rng.random() < 0.5:
        cast.worker("late")
    policy.run(steps - steps // 2)
    while stage.world.floats and rng.random() < 0.7:
        stage.world.land(0)
    stage.world.floats.clear()


def _submitters(cast: Cast, profile: Profile, rng: Random) -> list[str]:
    ids = []
    for number in range(rng.randint(*profile.jobs)):
        ttl_s = 60.0 if rng.random() < profile.expiring else 86400.0
        key = f"key-{number}" if rng.random() < profile.same_key else None
        manifest = job_manifest(rng, ttl_s=ttl_s, key=key)
        ids.append(manifest.id)
        cast.submitter(f"submitter{number}", manifest)
        if key is not None:
            again = job_manifest(rng, ttl_s=ttl_s, key=key)
            ids.append(again.id)
            cast.submitter(f"submitter{number}b", again, rng.choice((0.0, 5.0, 40.0)))
    return ids


def _script(profile: Profile, rng: Random) -> Script:
    kinds = "pplu" if profile.long_runs else "pusl"
    steps = "".join(rng.choice(kinds) for _ in range(rng.randint(3, 6) if profile.long_runs else rng.randint(0, 3)))
    end = "ok"
    if rng.random() < profile.fails:
        end = "fail" if rng.random() < 0.7 else "hopeless"
    return Script(steps, end, rng.random() < profile.stubborn)


# -- the quiet end


def _quiet_end(stage: Stage, rng: Random) -> None:
    """No faults, a fresh worker and a sweeper, time advancing: everything must come to rest."""
    world, ledger, cast = stage.world, stage.ledger, stage.cast
    if not ledger.at_rest():
        world.quiet, world.current = True, None
        world.say("quiet from here on")
        store = cast.connect(Party("quiet"))
        poller = store.poller("quiet", serves_kind=lambda kind: True, serves=lambda manifest: True)
        for _ in range(60):
            _work_off(poller, cast)
            if ledger.at_rest():
                break
            world.now_s += max(1.0, poller.wait_s())
        else:
            _sweep(store, world)
    ledger.check_end()


def _work_off(poller: Any, cast: Cast) -> None:
    while (held := poller.next()) is not None:
        crew = Crew(load=lambda wanted, report: cast.executor, identity={"id": "quiet"}, leaving=lambda: False)
        Attempt(held, crew).run()
        poller.again()


def _sweep(store: JobStore, world: World) -> None:
    sweeper = store.sweeper("sweeper")
    for _ in range(5):
        world.now_s += 100_000.0
        sweeper.sweep(1000)
