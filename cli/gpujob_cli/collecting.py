"""Downloads a result's files into a folder: `<out>/<name>`, and for several jobs `<out>/<id>/<name>`."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from gpujob.errors import LocalDisk
from gpujob.records import Result
from gpujob.specs import format_size
from gpujob_cli.output import Line
from gpujob_cli.session import Session


@dataclass(frozen=True)
class Target:
    """Where files go. `by_id` gives each job a folder of its own even when it is alone."""

    out: Path
    force: bool = False
    by_id: bool = False


def target_of(out: Path | None, *, force: bool) -> Target | None:
    """The target of `-o`, looked at before anything is spent on the job. Raises LocalDisk."""
    if out is None:
        return None
    require_writable(out)
    return Target(out, force)


def require_writable(folder: Path) -> None:
    """Raises LocalDisk where files could not be written into the folder, which need not exist yet."""
    nearest = next((place for place in (folder, *folder.absolute().parents) if place.exists()), None)
    if nearest is None or not nearest.is_dir():
        raise LocalDisk(f"cannot write into {folder}: {nearest} is not a folder", hint="Choose another one with -o.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise LocalDisk(f"cannot write into {folder}: {nearest} is not writable", hint="Choose another one with -o.")


def collect(session: Session, result: Result, target: Target, *, several: bool) -> list[Path]:
    """Fetches the result's files, verified; returns their paths."""
    folder = target.out / result.id if several or target.by_id else target.out
    total_bytes = sum(artifact.size_bytes for artifact in result.artifacts)
    count = len(result.artifacts)
    what = f"downloading {count} file{'s' if count > 1 else ''}"
    here: dict[str, int] = {}

    def progress(name: str, done_bytes: int, of_bytes: int) -> None:
        here[name] = done_bytes
        done = sum(here.values())
        share = done / total_bytes if total_bytes else None
        session.out.status(Line(what, share, format_size(total_bytes)))

    try:
        return session.store.download(result, folder, force=target.force, progress=progress)
    except LocalDisk as error:
        again = session.command(f"get {result.id} -o {shlex.quote(str(folder))}")
        raise LocalDisk(error.message, hint=f"Make room there, then `{again}`: it goes on where it stopped.") from error
