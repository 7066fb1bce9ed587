"""`gpujob models ls`, `pull` and `rm`: the models in this machine's cache."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpujob import model_mirror, models
from gpujob.errors import GpujobError
from gpujob.specs.quantities import format_size
from gpujob_cli.consent import agreed
from gpujob_cli.output import Line
from gpujob_cli.session import Session

HEADER = ("MODEL", "SIZE", "HERE", "FOLDER")

Names = Annotated[list[str], typer.Argument(metavar="MODEL...", help="As `gpujob models ls` lists them.")]


def ls(session: Session) -> None:
    """List the models that there are, and which of them are on this machine.

    \b
    Example:
      gpujob models ls
    """
    here = {one.name: one for one in models.installed()}
    if session.out.json:
        session.out.answer_json([_facts(name, here.get(name)) for name in models.names()])
    elif session.out.quiet:
        for name in here:
            session.out.answer(name)
    else:
        session.out.table([_row(name, here.get(name)) for name in models.names()], header=HEADER)


def pull(session: Session, names: Names) -> None:
    """Fetch models into this machine's cache, verified by sha256; what is there already is not fetched again.

    Where the queue's bucket keeps models they come from there, else from the internet.

    \b
    Example:
      gpujob models pull kokoro
    """
    answers = []
    for name in dict.fromkeys(names):
        known = models.is_installed(name)
        if not known:
            session.out.say(f"fetching {name}, {format_size(models.describe(name).size_bytes)}")
        if not known and _take_from_bucket(session, name):
            session.out.say(f"{name} came from {session.store.bucket.url}")
        found = models.ensure(name, progress=_progress(session, name))
        session.out.say(f"{name} {'was here already' if known else 'is here'}: {found.model.parent}", style="good")
        answers.append(
            {"name": name, "folder": str(found.model.parent), "revision": found.revision, "fetched": not known}
        )
        if session.out.quiet:
            session.out.answer(name)
    if session.out.json:
        session.out.answer_json(answers)


def rm(
    session: Session, names: Names, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> int:
    """Delete models from this machine's cache.

    \b
    Example:
      gpujob models rm kokoro --yes
    """
    for name in names:
        models.describe(name)
    if not agreed(session.out, f"Delete {', '.join(names)} from this machine?", yes=yes):
        return 0
    answers = []
    for name in dict.fromkeys(names):
        freed = models.remove(name)
        session.out.say(f"{name}: {format_size(freed)} are free again" if freed else f"{name} was not here")
        answers.append({"name": name, "bytes": freed})
    if session.out.json:
        session.out.answer_json(answers)
    return 0


def _take_from_bucket(session: Session, name: str) -> bool:
    """Whether the bucket kept the model and it is here now; one that cannot be reached is not needed either."""
    setting = session.settings.model_cache
    if setting is False or (session.is_local and setting is None):
        return False
    try:
        bucket = session.store.bucket
    except GpujobError as error:
        session.out.warn(f"the model was not looked for in the bucket: {error.message}")
        return False
    return model_mirror.wanted(bucket, setting) and model_mirror.restore(bucket, name)


def _progress(session: Session, name: str) -> models.Progress:
    def show(done_bytes: int, total_bytes: int, what: str) -> None:
        share = done_bytes / total_bytes if total_bytes else 0.0
        left = f"{format_size(done_bytes)} of {format_size(total_bytes)}"
        session.out.status(Line(f"{name}: {what}", share, left))

    return show


def _row(name: str, here: models.Installed | None) -> list[object]:
    size = format_size(here.size_bytes if here else models.describe(name).size_bytes)
    return [name, size, "yes" if here else "no", here.folder if here else ""]


def _facts(name: str, here: models.Installed | None) -> dict[str, Any]:
    known = models.describe(name)
    return {
        "name": name,
        "bytes": known.size_bytes,
        "revision": known.revision,
        "installed": here is not None,
        "folder": str(here.folder) if here else None,
    }
