"""Puts specs in the queue and prints their ids, each as soon as its job is known to be there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gpujob.records import Manifest
from gpujob.specs import Spec, format_size
from gpujob_cli import shapes
from gpujob_cli.output import Line
from gpujob_cli.reading import require_files
from gpujob_cli.session import Session


def send(session: Session, specs: Sequence[Spec]) -> dict[str, Manifest | None]:
    """Submits all specs, in order; returns their manifests by id. Nothing is sent before all their files are found."""
    require_files(specs)
    session.require_room(len(specs))
    sent: dict[str, Manifest | None] = {}
    for spec in specs:
        for warning in spec.warnings:
            session.out.warn(f"{spec.source}: {warning}")
        manifest = _send_one(session, spec)
        sent[manifest.id] = manifest
    return sent


def _send_one(session: Session, spec: Spec) -> Manifest:
    out = session.out
    job_id = session.store.new_id()

    def progress(name: str, done_bytes: int, total_bytes: int) -> None:
        share = done_bytes / total_bytes if total_bytes else None
        out.status(Line(f"uploading {name}", share, format_size(total_bytes)))

    try:
        submitted = session.store.submit(
            spec,
            base_dir=base_dir(spec),
            submitted_by=session.submitted_by,
            job_id=job_id,
            progress=progress,
        )
    except KeyboardInterrupt:
        out.say(
            f"interrupted while job {job_id} was submitted; `{session.command(f'show {job_id}')}` tells whether it is there"
        )
        raise
    manifest = submitted.manifest
    if out.json:
        out.answer_json(shapes.of_manifest(manifest, already=submitted.already))
    else:
        out.answer(manifest.id)
    if submitted.already:
        out.say(f"already submitted as {manifest.id}")
    session.remember(manifest.id)
    return manifest


def base_dir(spec: Spec) -> Path:
    """The folder that the sources of a spec's files are relative to."""
    return Path() if spec.source.startswith("<") else Path(spec.source).parent
