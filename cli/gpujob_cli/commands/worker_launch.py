"""`gpujob worker launch`: a worker on Colab, rented, run and given back by Google's own command line."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from gpujob.chance import token
from gpujob.errors import Configuration, GpujobError, InvalidSpec
from gpujob.protocol.presence import Control
from gpujob_cli import launching
from gpujob_cli.consent import agreed
from gpujob_cli.flags import duration
from gpujob_cli.launching import Session as ColabSession
from gpujob_cli.notebooks import filling
from gpujob_cli.session import Session
from gpujob_cli.wheels import this_wheel

GPUS = ("T4", "L4", "G4", "A100", "H100", "none")
ALLOWED = "Colab lets workers like this run with a positive balance of compute units only; `colab usage` shows yours."
NOTEBOOK = Path("worker.ipynb")
WORDS: dict[int, Control] = {1: "drain", 2: "stop"}


def launch(
    session: Session,
    on: Annotated[str, typer.Option("--on", metavar="WHERE", help="colab is the one place so far.")] = "colab",
    gpu: Annotated[str, typer.Option(metavar="|".join(GPUS), help="What to rent.")] = "T4",
    extra: Annotated[str, typer.Option(metavar="NAMES", help="What to install there: tts,image,chat,video.")] = "tts",
    idle_exit: Annotated[str, typer.Option(metavar="DURATION", help="It leaves when idle for so long.")] = "20m",
    max_lifetime: Annotated[str, typer.Option(metavar="DURATION", help="It leaves after so long.")] = "11h",
    aws_profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="The AWS profile whose keys the worker gets.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write ./worker.ipynb and print the commands.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send the keys without asking.")] = False,
) -> int:
    """Start a worker on Colab through Google's own command line, `colab`, and watch it until it leaves.

    It rents a machine, sends the worker's keys as a file, runs the notebook of `gpujob worker notebook`, and gives the
    machine back. Ctrl-C lets the worker finish its job and leave, a second one gives the job back. Where `colab` is not
    installed it writes the notebook and prints the commands.

    \b
    Example:
      gpujob worker launch --on colab --gpu T4 --aws-profile gpu-worker
    """
    rented = _rented(on, gpu, max_lifetime)
    reason = filling.only_here(session.url)
    if reason is not None:
        raise Configuration(reason, hint="Use a store that both sides reach, such as a bucket.")
    values = {"EXTRAS": filling.known_extras(extra), "IDLE_EXIT": idle_exit, "MAX_LIFETIME": max_lifetime}
    duration("--idle-exit", idle_exit)
    store = session.store
    wheel = this_wheel()
    text = filling.notebook_for(
        session.url, wheel, {**values, **filling.trusted(session.identity), "WORKER_ID": rented.name}
    )
    session.out.say(ALLOWED, style="warn")
    here = shutil.which(launching.PROGRAM) is not None
    if not here:
        session.out.say(
            f"`colab` is not installed here (`{launching.INSTALL}`, on Linux or macOS), so these are the steps:"
        )
    if dry_run or not here:
        NOTEBOOK.write_text(text, encoding="utf-8")
        filling.bring(store.bucket, wheel)
        _print(session, rented)
        return 0
    who, keys = launching.credentials_of(aws_profile)
    launching.require_fitting(session.url, keys)
    if not agreed(session.out, f"The keys of the worker ({who}) go to a Colab machine.", yes=yes):
        return 0
    filling.bring(store.bucket, wheel)
    return _run(session, rented, text, keys)


def _rented(on: str, gpu: str, max_lifetime: str) -> ColabSession:
    if on != "colab":
        raise InvalidSpec(f"--on {on}: a worker can be launched on colab", hint="`gpujob worker run` runs one here.")
    if gpu not in GPUS:
        raise InvalidSpec(f"--gpu {gpu}: there is no such choice", hint=f"There are {', '.join(GPUS)}.")
    lifetime_s = duration("--max-lifetime", max_lifetime) or 0.0
    return ColabSession(f"colab-{token()[:4]}", "" if gpu == "none" else gpu, lifetime_s)


def _print(session: Session, rented: ColabSession) -> None:
    session.out.say(
        f'{launching.CREDENTIALS} is yours to write: {{"AWS_ACCESS_KEY_ID": "...", "AWS_SECRET_ACCESS_KEY": "..."}}'
    )
    steps = (
        launching.new(rented),
        launching.send(rented, Path(launching.CREDENTIALS)),
        launching.execute(rented, NOTEBOOK),
        launching.stop(rented),
    )
    if session.out.json:
        session.out.answer_json({"name": rented.name, "notebook": str(NOTEBOOK), "commands": steps})
        return
    for words in steps:
        session.out.answer(shlex.join(words))


def _run(session: Session, rented: ColabSession, text: str, keys: dict[str, str]) -> int:
    """Rents, runs, watches; whatever happens the machine is given back."""
    with tempfile.TemporaryDirectory(prefix="gpujob-launch-") as folder:
        notebook, credentials = Path(folder) / NOTEBOOK, Path(folder) / launching.CREDENTIALS
        notebook.write_text(text, encoding="utf-8")
        launching.write_credentials(credentials, keys)
        launching.run(launching.new(rented))
        try:
            launching.run(launching.send(rented, credentials))
            credentials.unlink()
            session.out.answer(rented.name)
            well = launching.watch(launching.execute(rented, notebook), lambda count: _tell(session, rented, count))
        finally:
            with suppress(Configuration):  # it has gone already where its notebook handed it back
                launching.run(launching.stop(rented))
    if not well:
        raise Configuration("`colab exec` failed; its own words are above", hint="`colab sessions` lists what runs.")
    return 0


def _tell(session: Session, rented: ColabSession, count: int) -> None:
    """Passes a Ctrl-C on, through the bucket: the worker obeys within a minute."""
    word = WORDS[count]
    try:
        found = [one.id for one, _ in session.store.workers() if one.id.startswith(f"{rented.name}-")]
        for worker_id in found:
            session.store.command_worker(worker_id, word)
    except GpujobError as error:
        session.out.warn(f"the worker could not be told to {word}: {error.message}")
        return
    done = f"told {found[0]} to {word}; it obeys within a minute" if found else "its worker is not there yet"
    session.out.say(f"{done}. Once more {'gives its job back' if count == 1 else 'ends the session at once'}.")
