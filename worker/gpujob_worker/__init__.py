"""The worker as a library: what `gpujob worker run` is made of.

>>> from gpujob import JobStore, MemoryBucket
>>> from gpujob_worker import EchoExecutor, Limits, Worker
>>> store = JobStore(MemoryBucket())
>>> job = store.submit({"kind": "echo", "input": {"message": "hello"}})
>>> Worker(store, [EchoExecutor()], worker_id="here", limits=Limits(once=True)).run().jobs
1
>>> store.wait(job.id).output
{'message': 'hello'}
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpujob_worker.executor import (
        Device,
        Engine,
        Executor,
        JobContext,
        Needs,
        Outcome,
        Readiness,
        Report,
        StepCache,
    )
    from gpujob_worker.executors.echo import EchoExecutor
    from gpujob_worker.executors.narrate import NarrateExecutor
    from gpujob_worker.registry import candidates, ready
    from gpujob_worker.worker import Limits, Summary, Worker

_WHERE = {
    "Device": "gpujob_worker.executor",
    "EchoExecutor": "gpujob_worker.executors.echo",
    "Engine": "gpujob_worker.executor",
    "Executor": "gpujob_worker.executor",
    "JobContext": "gpujob_worker.executor",
    "Limits": "gpujob_worker.worker",
    "NarrateExecutor": "gpujob_worker.executors.narrate",
    "Needs": "gpujob_worker.executor",
    "Outcome": "gpujob_worker.executor",
    "Readiness": "gpujob_worker.executor",
    "Report": "gpujob_worker.executor",
    "StepCache": "gpujob_worker.executor",
    "Summary": "gpujob_worker.worker",
    "Worker": "gpujob_worker.worker",
    "candidates": "gpujob_worker.registry",
    "ready": "gpujob_worker.registry",
}

__all__ = [
    "Device",
    "EchoExecutor",
    "Engine",
    "Executor",
    "JobContext",
    "Limits",
    "NarrateExecutor",
    "Needs",
    "Outcome",
    "Readiness",
    "Report",
    "StepCache",
    "Summary",
    "Worker",
    "candidates",
    "ready",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'gpujob_worker' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
