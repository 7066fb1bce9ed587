"""Puts specs in the queue and prints their ids, each as soon as its job is known to be there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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


def mention_fallback(session: Session, jobs: Mapping[str, Manifest | None]) -> None:
    """Says when a fallback takes effect, where one of these jobs asks for it and nobody waits for them yet."""
    asking = [job_id for job_id, one in jobs.items() if one is not None and one.spec.get("fallback") == "local"]
    if asking:
        named = asking[0] if len(asking) == 1 else f"{asking[0]} ..."
        session.out.say(f"fallback: local takes effect while somebody waits: `{session.command(f'wait {named}')}`")


def tell_only(session: Session, specs: Sequence[Spec]) -> int:
    """What would be submitted, had it not been for --dry-run; returns the exit code."""
    require_files(specs)
    for spec in specs:
        for warning in spec.warnings:
            session.out.warn(f"{spec.source}: {warning}")
        if session.out.json:
            session.out.answer_json(spec.canonical())
        else:
            session.out.answer(spec.source if session.out.quiet else f"{spec.source}  {spec.kind}  {spec.priority}")
    counts = ", ".join(f"{count} {kind}" for kind, count in Counter(spec.kind for spec in specs).items())
    session.out.say(f"all valid; nothing was submitted ({counts})")
    return 0


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
