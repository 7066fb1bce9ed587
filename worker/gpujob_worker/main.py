"""`gpujob-worker`, also `gpujob worker run`: a worker as a process."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, NoReturn, Optional

import typer

from gpujob import model_mirror
from gpujob import settings as config
from gpujob.chance import token
from gpujob.clock import SYSTEM
from gpujob.errors import Configuration, Conflict, CorruptRecord, GpujobError, NotFound, WrongProtocol
from gpujob.log_lines import hide, to_stderr
from gpujob.plain_text import clean
from gpujob.redaction import too_short, without_passwords
from gpujob.signing.configured import identity_of
from gpujob.specs.quantities import parse_duration
from gpujob.store import JobStore, open_store

from . import fleet, machine, trusting
from .executor import Executor
from .heartbeat import Heartbeat
from .machine import Free, Pin
from .model_cache import ModelCache
from .registry import Candidate, candidates, ready, told
from .signals import Leaving
from .survey import Surroundings, survey
from .worker import Limits, Summary, Worker

log = logging.getLogger("gpujob.worker")

BUG, BAD_USAGE, BAD_SET_UP, UNREACHABLE, AMBIGUOUS, NO_SUCH_JOB = 1, 2, 3, 4, 5, 102
EXIT_CODES: dict[type[GpujobError], int] = {Configuration: BAD_SET_UP, Conflict: AMBIGUOUS, NotFound: NO_SUCH_JOB}
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _duration(text: Optional[str]) -> float | None:  # noqa: UP045 (typer reads it)
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command(context_settings=HELP_OPTIONS)
def run(
    store: Annotated[str | None, typer.Option(help="The queue: s3://bucket/prefix, file:///path.")] = None,
    profile: Annotated[str | None, typer.Option(help="The profile of config.toml to use.")] = None,
    kinds: Annotated[str | None, typer.Option(help="Serve only these kinds, separated by commas.")] = None,
    worker_id: Annotated[str | None, typer.Option("--id", help="The first part of this worker's id.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Run one job if one waits, then leave.")] = False,
    max_jobs: Annotated[int | None, typer.Option(min=1, help="Leave after this many attempts.")] = None,
    job: Annotated[list[str] | None, typer.Option(metavar="ID", help="Run this job and no other; repeatable.")] = None,
    idle_exit: Annotated[str | None, typer.Option(help="Leave when there was nothing to do for so long.")] = None,
    max_lifetime: Annotated[
        str | None, typer.Option(help="Leave after so long; claim nothing whose timeout is longer than what is left.")
    ] = None,
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Refuse to serve a kind that would run on the CPU.")
    ] = False,
    gpu: Annotated[
        str | None, typer.Option(metavar="0,1", help="Use these GPUs: a worker process for each, pinned to it.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say what this machine can serve and on which device, then leave.")
    ] = False,
    heartbeat: Annotated[str | None, typer.Option(help="Say every so often that it serves, such as 15s.")] = None,
    model_cache: Annotated[
        bool | None,
        typer.Option("--model-cache/--no-model-cache", help="Keep models in the bucket, for machines that lack them."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """Serves jobs of a queue on this machine until it is told to leave.

    \b
    Example:
      gpujob worker run --kinds tts.narrate --idle-exit 20m

    The first Ctrl-C or SIGTERM finishes the job in hand and leaves; the second gives it back.
    """
    to_stderr(logging.DEBUG if verbose else logging.INFO, "%(asctime)s %(message)s")
    for noisy in ("botocore", "boto3", "urllib3", "s3transfer", "phonemizer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    pins = [machine.pin(number) for number in _numbers(gpu)]
    if len(pins) > 1:
        raise typer.Exit(fleet.run([pin.number for pin in pins], sys.argv[1:]))
    limits = Limits(
        once=once,
        max_jobs=max_jobs,
        idle_exit_s=_duration(idle_exit),
        max_lifetime_s=_duration(max_lifetime),
        jobs=tuple(job or ()),
    )
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()] if kinds else None
    loaded = config.load(flags={"store": store, "worker_id": worker_id, "model_cache": model_cache}, profile=profile)
    for notice in loaded.notices:
        log.warning("%s", notice)
    config.withhold(loaded.settings.allow_secrets)  # an executor's process may start with the first look
    here = _look(loaded.settings, wanted, pin=pins[0] if pins else None, require_gpu=require_gpu)
    if not check:
        _serve(loaded.settings, wanted, limits, here, heartbeat_s=_duration(heartbeat))


def _numbers(gpus: str | None) -> list[int]:
    """The numbers of `0,1`. Raises BadParameter for what is none."""
    try:
        return [int(number) for number in gpus.split(",")] if gpus is not None else []
    except ValueError:
        raise typer.BadParameter(f"{gpus!r} is no list of GPU numbers such as 0,1") from None


@dataclass(frozen=True)
class Here:
    """What can be served on this machine, or on the one GPU of it that this worker is pinned to."""

    executors: list[Executor]
    surroundings: Surroundings
    pin: Pin | None

    def free(self) -> Free:
        """The memory that is free now."""
        return machine.free(self.pin.index if self.pin else None)


def _look(settings: config.Settings, wanted: list[str] | None, *, pin: Pin | None, require_gpu: bool) -> Here:
    """Reports this machine. Raises Configuration where nothing can be served, or not on a GPU though one is required."""
    found = candidates(wanted, settings)
    _report(found)
    executors = ready(found, environment=told(settings) | (pin.environment if pin else {}))
    if not executors:
        raise Configuration(
            f"nothing here can serve {' or '.join(wanted) if wanted else 'any kind'}",
            hint="`pip install 'gpujob[tts]'` and `gpujob models pull kokoro` make speech work; echo needs nothing.",
        )
    found_here = survey(executors, machine.describe(pin.index if pin else None), require_gpu=require_gpu)
    _report_machine(found_here)
    return Here(executors, found_here, pin)


def _serve(
    settings: config.Settings, wanted: list[str] | None, limits: Limits, here: Here, *, heartbeat_s: float | None
) -> None:
    url = settings.store or config.default_store()
    name = settings.worker_id or _own_name(str(here.surroundings.machine["host"]))
    if here.pin is not None:
        name = f"{name}-gpu{here.pin.number}"
    secrets = _secrets(settings)
    heart = Heartbeat(SYSTEM, log.info)
    store = open_store(url, identity=identity_of(settings))
    limits = replace(limits, jobs=_ids(store, limits.jobs))
    cache = _model_cache(store, settings, here.executors)

    def hear(event: str, job_id: str) -> None:
        log.info("%s %s", event, job_id)
        heart.hear(event, job_id)
        if cache is not None:
            cache.hear(event)

    worker = Worker(
        store,
        here.executors,
        worker_id=f"{name}-{token()[:4]}",
        kinds=wanted,
        limits=limits,
        machine=here.surroundings.machine,
        warnings=here.surroundings.warnings,
        secrets=secrets,
        free=here.free,
        overlap=True,
        preload=_preloaded(settings, here.executors),
        on_event=hear,
    )
    Leaving(worker, SYSTEM, log.info).install()
    log.info("worker %s serves %s on %s", worker.id, ", ".join(worker.kinds), url)
    for line in trusting.describe(store):
        log.info("it %s", line)
    if heartbeat_s:
        heart.start(heartbeat_s)
    summary = worker.run()
    heart.stop()
    _farewell(summary)


def _ids(store: JobStore, jobs: Iterable[str]) -> tuple[str, ...]:
    """The ids of jobs by their ids, beginnings of those, or idempotency keys. Raises NotFound, Conflict."""
    ids = tuple(dict.fromkeys(store.resolve(text) for text in jobs))
    for job_id in ids:
        with suppress(CorruptRecord, WrongProtocol):  # the log will say that it is skipped
            store.status(job_id)
    return ids


def _secrets(settings: config.Settings) -> dict[str, str]:
    """The values that jobs may ask for; from here on the log shows none of them."""
    found = config.secret_values(settings.allow_secrets)
    hide(found)
    for name in too_short(found):
        log.warning("the secret %s is too short to be kept out of logs and results", name)
    return found


def _model_cache(store: JobStore, settings: config.Settings, executors: Sequence[Executor]) -> ModelCache | None:
    if not model_mirror.wanted(store.bucket, settings.model_cache):
        return None
    cache = ModelCache(store.bucket, executors)
    cache.restore()
    return cache


def _preloaded(settings: config.Settings, executors: Sequence[Executor]) -> list[str]:
    """The kinds whose models this worker's settings name."""
    named = {"chat.complete": settings.chat_preload, "image.generate": settings.image_model}
    return [kind for executor in executors for kind in executor.kinds if named.get(kind)]


def _own_name(host: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", host.split(".", maxsplit=1)[0]).strip("-")[:40] or "worker"


def _report(found: list[Candidate]) -> None:
    for one in found:
        if not one.readiness.ready:
            log.info(
                "not served here: %s (%s) %s",
                ", ".join(one.kinds) or one.name,
                one.readiness.reason,
                one.readiness.hint,
            )


def _report_machine(found: Surroundings) -> None:
    facts = found.machine
    gpu = (
        f"{facts['gpu']}, {facts['gpu_memory'] / 1e9:.0f} GB, driver {facts['gpus'][0]['driver']}"
        if "gpu" in facts
        else "no GPU"
    )
    memory = f"{facts['memory'] / 1e9:.0f} GB memory" if "memory" in facts else "memory unknown"
    log.info("%s, %s, %s, %s, Python %s", facts["provider"], facts["system"], memory, gpu, facts["python"])
    log.info("%s", ", ".join(f"{name} {version}" for name, version in facts["versions"].items()))
    for kind, device in facts.get("devices", {}).items():
        log.info("%s runs on %s", kind, device)
    for warning in found.warnings:
        log.warning("%s", warning)


def _farewell(summary: Summary) -> None:
    counts = ", ".join(f"{count} {ending}" for ending, count in sorted(summary.endings.items())) or "no job"
    log.info("left after %s", counts)


def main() -> NoReturn:
    """The console script: exit codes 0 left as told, 2 usage, 3 set-up, 4 store unreachable, 5 and 102 `--job`, 1 a bug."""
    try:
        app()
    except GpujobError as error:
        print(f"error: {clean(without_passwords(error.message), lines=True)}", file=sys.stderr)
        if error.hint:
            print(clean(error.hint, lines=True), file=sys.stderr)
        sys.exit(next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), UNREACHABLE))
    sys.exit(0)


if __name__ == "__main__":
    main()
