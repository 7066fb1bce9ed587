"""`gpujob worker ls`, `drain` and `stop`: the workers of a queue, through the bucket."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpujob.errors import GpujobError
from gpujob.protocol.presence import Control
from gpujob.records import Presence
from gpujob.specs.quantities import format_duration, format_size
from gpujob.why import gpu_memory_bytes
from gpujob_cli.errors import worst
from gpujob_cli.session import Session
from gpujob_cli.text import ago, iso

HEADER = ("WORKER", "STATE", "GPU", "SEEN", "UP", "JOBS", "JOB", "KINDS")

Ids = Annotated[list[str], typer.Argument(metavar="WORKER...", help="As `gpujob worker ls` lists them.")]


def ls(session: Session) -> None:
    """List the live workers: those that were heard of within their last three minutes or so.

    \b
    Example:
      gpujob worker ls
    """
    found = sorted(session.store.workers(), key=lambda one: one[0].id)
    now = session.store.runtime.now()
    if session.out.json:
        session.out.answer_json([_facts(*one) for one in found])
    elif session.out.quiet:
        for one, _ in found:
            session.out.answer(one.id)
    elif found:
        session.out.table([_row(one, age_s, now) for one, age_s in found], header=HEADER)
    else:
        session.out.say("no live worker. Start one with `gpujob worker run`.")
    for one, _ in found:
        for warning in one.warnings:
            session.out.warn(f"{one.id}: {warning}")


def drain(session: Session, workers: Ids) -> int:
    """Let workers finish the job they have and leave. They obey within a minute.

    \b
    Example:
      gpujob worker drain colab-t4-7f
    """
    return _command(session, workers, "drain", "finishes its job and leaves")


def stop(session: Session, workers: Ids) -> int:
    """Let workers give their job back to the queue and leave. They obey within a minute.

    \b
    Example:
      gpujob worker stop colab-t4-7f
    """
    return _command(session, workers, "stop", "gives its job back and leaves")


def _command(session: Session, workers: list[str], word: Control, meaning: str) -> int:
    codes, answers = [0], []
    store = session.store
    for worker_id in dict.fromkeys(workers):
        try:
            told = store.command_worker(worker_id, word)
        except GpujobError as error:
            codes.append(session.tell(error))
            continue
        session.out.say(f"{worker_id} {meaning}, within {format_duration(told.every_s)}")
        answers.append({"id": worker_id, "control": word, "within_s": told.every_s})
        if not session.out.json:
            session.out.answer(worker_id)
    if session.out.json:
        session.out.answer_json(answers)
    return worst(codes)


def _row(worker: Presence, age_s: float, now: float) -> list[object]:
    memory = gpu_memory_bytes(worker)
    gpu = f"{worker.machine.get('gpu') or 'none'}" + (f", {format_size(memory)}" if memory else "")
    state = f"{worker.state}, told to {worker.control}" if worker.control else worker.state
    up = format_duration(max(0.0, now - worker.started_at))
    return [worker.id, state, gpu, ago(age_s), up, worker.jobs_done, worker.job or "-", ", ".join(worker.kinds)]


def _facts(worker: Presence, age_s: float) -> dict[str, Any]:
    return {**worker.model_dump(exclude={"session"}), "started_at": iso(worker.started_at), "age_s": round(age_s, 3)}
