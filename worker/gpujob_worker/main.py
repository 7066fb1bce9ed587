"""`gpujob-worker`, also `gpujob worker run`: a worker as a process."""

from __future__ import annotations

import logging
import re
import sys
from typing import Annotated, NoReturn, Optional

import typer

from gpujob import settings as config
from gpujob.chance import token
from gpujob.clock import SYSTEM
from gpujob.errors import Configuration, GpujobError
from gpujob.specs.quantities import parse_duration
from gpujob.store import open_store

from . import machine
from .registry import Candidate, candidates, ready
from .signals import Leaving
from .worker import Limits, Summary, Worker

log = logging.getLogger("gpujob.worker")

BUG, BAD_USAGE, BAD_SET_UP, UNREACHABLE = 1, 2, 3, 4

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = "Example: gpujob worker run --kinds tts.narrate --idle-exit 20m"


def _duration(text: Optional[str]) -> float | None:  # noqa: UP045 (typer reads it)
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command(epilog=EPILOG)
def run(
    store: Annotated[str | None, typer.Option(help="The queue: s3://bucket/prefix, file:///path.")] = None,
    profile: Annotated[str | None, typer.Option(help="The profile of config.toml to use.")] = None,
    kinds: Annotated[str | None, typer.Option(help="Serve only these kinds, separated by commas.")] = None,
    worker_id: Annotated[str | None, typer.Option("--id", help="The first part of this worker's id.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Run one job if one waits, then leave.")] = False,
    max_jobs: Annotated[int | None, typer.Option(min=1, help="Leave after this many attempts.")] = None,
    idle_exit: Annotated[str | None, typer.Option(help="Leave when there was nothing to do for so long.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """Serves jobs of a queue on this machine until it is told to leave.

    The first Ctrl-C or SIGTERM finishes the job in hand and leaves; the second gives it back.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    for noisy in ("botocore", "boto3", "urllib3", "s3transfer", "phonemizer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    limits = Limits(once=once, max_jobs=max_jobs, idle_exit_s=_duration(idle_exit))
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()] if kinds else None
    loaded = config.load(flags={"store": store, "worker_id": worker_id}, profile=profile)
    for notice in loaded.notices:
        log.warning("%s", notice)
    _serve(loaded.settings, wanted, limits)


def _serve(settings: config.Settings, wanted: list[str] | None, limits: Limits) -> None:
    url = settings.store or config.default_store()
    found = candidates(wanted)
    _report(found)
    executors = ready(found)
    if not executors:
        raise Configuration(
            f"nothing here can serve {' or '.join(wanted) if wanted else 'any kind'}",
            hint="`pip install 'gpujob[tts]'` and `gpujob models pull kokoro` make speech work; echo needs nothing.",
        )
    described = machine.describe()
    name = settings.worker_id or _own_name(str(described["host"]))
    worker = Worker(
        open_store(url),
        executors,
        worker_id=f"{name}-{token()[:4]}",
        kinds=wanted,
        limits=limits,
        machine=described,
        on_event=lambda event, job_id: log.info("%s %s", event, job_id),
    )
    Leaving(worker, SYSTEM, log.info).install()
    log.info("worker %s serves %s on %s", worker.id, ", ".join(worker.kinds), url)
    _farewell(worker.run())


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


def _farewell(summary: Summary) -> None:
    counts = ", ".join(f"{count} {ending}" for ending, count in sorted(summary.endings.items())) or "no job"
    log.info("left after %s", counts)


def main() -> NoReturn:
    """The console script: exit codes 0 left as told, 2 usage, 3 set-up, 4 store unreachable, 1 a bug."""
    try:
        app()
    except GpujobError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        sys.exit(BAD_SET_UP if isinstance(error, Configuration) else UNREACHABLE)
    sys.exit(0)


if __name__ == "__main__":
    main()
