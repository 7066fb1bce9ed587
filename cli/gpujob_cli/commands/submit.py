"""`gpujob submit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gpujob.errors import InvalidSpec
from gpujob_cli.collecting import target_of
from gpujob_cli.flags import (
    DryRunFlag,
    FallbackAfterFlag,
    FallbackFlag,
    ForceFlag,
    KeyFlag,
    LabelFlag,
    TitleFlag,
    parse_labels,
)
from gpujob_cli.following import Follower, Wishes
from gpujob_cli.reading import changed, read_specs, require_one_spec_a_key
from gpujob_cli.sending import mention_fallback, send, tell_only
from gpujob_cli.serving import Serving, fallback_of
from gpujob_cli.session import Session


def submit(
    session: Session,
    specs: Annotated[list[str], typer.Argument(metavar="SPEC", help="JSON, YAML or JSON lines; - is stdin.")],
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until the jobs have ended.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="With --wait: download into DIR.")
    ] = None,
    force: ForceFlag = False,
    priority: Annotated[str | None, typer.Option(metavar="high|normal|low", help="Instead of the spec's.")] = None,
    label: LabelFlag = None,
    idempotency_key: KeyFlag = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="How long one attempt may run.")] = None,
    title: TitleFlag = None,
    fallback: FallbackFlag = None,
    fallback_after: FallbackAfterFlag = None,
    dry_run: DryRunFlag = False,
    allow_unknown_kind: Annotated[
        bool, typer.Option("--allow-unknown-kind", help="Let a kind through that only the worker has.")
    ] = False,
) -> int:
    """Put jobs in the queue and print their ids.

    \b
    Example:
      gpujob submit tour.json --wait -o out/
      gpujob submit jobs.jsonl --label project=docs | xargs gpujob wait

    Every spec is checked before the first job is submitted.
    """
    if out is not None and not wait:
        raise InvalidSpec("-o needs --wait", hint="Add --wait, or use `gpujob wait ID -o DIR` later.")
    changes: dict[str, Any] = {
        "priority": priority,
        "labels": parse_labels(label),
        "idempotency_key": idempotency_key,
        "timeout": timeout,
        "title": title,
        "fallback": fallback,
        "fallback_after": fallback_after,
    }
    ready = [changed(spec, changes) for spec in read_specs(specs, allow_unknown_kind=allow_unknown_kind)]
    if idempotency_key is not None and len(ready) > 1:
        raise InvalidSpec(
            f"--idempotency-key names one job, and there are {len(ready)} specs", hint="Write a key into each spec."
        )
    require_one_spec_a_key(ready)
    target = target_of(out, force=force)
    if dry_run:
        return tell_only(session, ready)
    serving = Serving(session, {spec.kind for spec in ready}) if wait and session.is_local else None
    if serving is not None:
        serving.prepare()
    jobs = send(session, ready)
    if not wait:
        mention_fallback(session, jobs)
        return 0
    serving = serving or fallback_of(session, jobs)
    return Follower(session, jobs, Wishes(target=target), serving).follow()
