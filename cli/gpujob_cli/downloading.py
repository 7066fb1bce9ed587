"""A result's files onto this disk, with progress on stderr and their paths on stdout."""

from __future__ import annotations

from pathlib import Path

from gpujob.records import Result
from gpujob.specs.quantities import format_size
from gpujob_cli.output import Line
from gpujob_cli.session import Session

DEFAULT_OUT = Path("gpujob-out")


def folder(out: Path | None, job_id: str, *, several: bool) -> Path:
    """Where a job's files go: into `-o` itself for one job, into `<out>/<id>` for several and without `-o`."""
    if out is None:
        return DEFAULT_OUT / job_id
    return out / job_id if several else out


def fetch(session: Session, result: Result, out: Path, *, force: bool = False) -> list[Path]:
    """Fetches, verifies and places the files of a result. Errors as in `gpujob.artifacts.download`."""
    total = sum(file.size_bytes for file in result.artifacts)
    here: dict[str, int] = {}

    def report(name: str, done_bytes: int, total_bytes: int) -> None:
        here[name] = done_bytes
        done = sum(here.values())
        text = f"fetching {len(result.artifacts)} files into {out}"
        session.out.status(Line(text, done / total if total else 1.0, f"{format_size(done)} of {format_size(total)}"))

    if not result.artifacts:
        return []
    return session.store.download(result, out, force=force, progress=report)
