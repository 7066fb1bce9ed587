"""`gpujob show`: everything that the bucket says of one job."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from gpujob import why
from gpujob.errors import Untrusted
from gpujob.protocol.status import Status
from gpujob.records import Result
from gpujob.specs.quantities import format_duration, format_size
from gpujob_cli.describing import attempt_of, created_at, files, full, kind_of, signed_with, times, worker_of
from gpujob_cli.errors import END_CODES, UNFINISHED
from gpujob_cli.session import Session
from gpujob_cli.text import ago, iso

SHOWN_FILES = 30
NEWLINE = "\n"
OURS = ("note", "", "files", "log")  # what names commands
Lines = list[tuple[str, str]]


def show(
    session: Session,
    job: Annotated[str, typer.Argument(metavar="ID", help="An id, a unique prefix, an idempotency key or @last.")],
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with the job's end: 0, 100 failed, 101 not finished, 103, 104.")
    ] = False,
) -> int:
    """One job: its state and why, its timeline, attempts and files.

    \b
    Example:
      gpujob show @last
    """
    status = session.store.status(session.job_id(job))
    ctx = session.store.context
    reason = why.ask(ctx, status)
    reason = replace(reason, hint=session.pointed(reason.hint))
    now = ctx.store_now()
    doubt = _doubt(session, status)
    if session.out.json:
        facts = full(status, reason, now)
        facts["signed_with"] = signed_with(status) | {"trusted": _trusted(session, status, doubt)}
        session.out.answer_json(facts, pretty=True)
    elif session.out.quiet:
        session.out.answer(status.id)
    else:
        session.out.raw(_page(session, status, reason, now, _signed(status, _trusted(session, status, doubt))))
    if doubt is not None:
        return session.tell(doubt)
    return END_CODES.get(status.state, UNFINISHED) if exit_code else 0


def _doubt(session: Session, status: Status) -> Untrusted | None:
    """Why the result is not to be believed, where this user says whose results are."""
    try:
        if status.result is not None:
            session.store.checked(status.id, status.result)
    except Untrusted as error:
        return error
    return None


def _trusted(session: Session, status: Status, doubt: Untrusted | None) -> bool | None:
    """Whether the result is signed by whom it should be; None where nobody has said who that is."""
    return doubt is None if status.result is not None and session.identity.workers else None


def _signed(status: Status, trusted: bool | None) -> Lines:
    keys = signed_with(status)
    verdict = {True: ", which is trusted", False: ", and is not trusted", None: ""}[trusted]
    lines = [("signed", f"the job with the key {keys['job']}" if keys["job"] else "")]
    if status.result is not None and (keys["result"] or trusted is not None):
        key = f"with the key {keys['result']}" if keys["result"] else "by nobody"
        lines.append(("signed", f"the result {key}{verdict}"))
    return [(name, text) for name, text in lines if text]


def _page(session: Session, status: Status, reason: why.Reason, now: float, signed: Lines) -> str:
    head = f"{status.id}  {kind_of(status)}  {status.state}"
    lines = _about(status, reason, now) + _timeline(status, now) + signed + _end(status.result)
    lines = [(name, session.pointed(text) if name in OURS else text) for name, text in lines]
    width = max(len(name) for name, _ in lines)
    more = "\n" + " " * (width + 4)  # a text of several lines must not look like several facts
    return "\n".join([head, *(f"  {name.ljust(width)}  {text.replace(NEWLINE, more)}" for name, text in lines)])


def _about(status: Status, reason: why.Reason, now: float) -> Lines:
    lines: Lines = []
    if not status.ended:
        lines.append(("why", f"{reason.text}. {reason.hint}".rstrip(". ") + "."))
    manifest = status.manifest
    if manifest is None:
        return [*lines, ("note", "its record could not be read; `gpujob fsck --repair` ended it")]
    lines += [
        ("title", manifest.title or ""),
        ("key", manifest.idempotency_key or ""),
        ("labels", ", ".join(f"{name}={value}" for name, value in sorted(manifest.labels.items()))),
        ("priority", manifest.priority if manifest.priority != "normal" else ""),
        ("retry of", manifest.retry_of or ""),
        ("inputs", ", ".join(f"{file.name} ({format_size(file.size_bytes)})" for file in manifest.files)),
        (
            "submitted",
            f"{_moment(created_at(status), now)}" + (f" by {manifest.submitted_by}" * bool(manifest.submitted_by)),
        ),
    ]
    return [(name, text) for name, text in lines if text]


def _timeline(status: Status, now: float) -> Lines:
    record = status.result or status.lease
    if record is None:
        return []
    lines = [
        (f"attempt {past.attempt}", _sentence(f"{past.ended} {_moment(past.at, now)}{_on(past.worker)}", past.message))
        for past in record.history
    ]
    over = {past.attempt for past in record.history}
    if record.attempt and record.attempt not in over and record.started_at:
        on = _on(worker_of(status))
        lines.append((f"attempt {attempt_of(status)}", f"started {_moment(record.started_at, now)}{on}"))
    if status.lease is not None:
        lines.append(("expires", iso(status.lease.expires_at) or ""))
    if status.result is not None and status.result.finished_at:
        lines.append(("finished", _moment(status.result.finished_at, now)))
    return lines


def _on(worker: str | None) -> str:
    """Where an attempt ran, if that is known: a signed result does not say it of earlier ones."""
    return f" on {worker}" if worker else ""


def _end(result: Result | None) -> Lines:
    if result is None:
        return []
    lines: Lines = []
    if result.error is not None:
        lines.append(("error", f"{result.error.type}: {result.error.message}"))
        if result.error.hint:
            lines.append(("", result.error.hint))
    if result.state == "succeeded":
        lines.append(("times", times(result)))
    engine = " ".join(
        str(result.engine[part]) for part in ("name", "version", "model", "device") if result.engine.get(part)
    )
    lines += [("engine", engine)] if engine else []
    lines += [("warning", text) for text in result.warnings]
    if result.artifacts:
        lines.append(("files", f"{files(result)}; `gpujob get {result.id}` fetches them"))
        lines += [("", f"{one.name}  {format_size(one.size_bytes)}") for one in result.artifacts[:SHOWN_FILES]]
        if len(result.artifacts) > SHOWN_FILES:
            lines.append(("", f"and {len(result.artifacts) - SHOWN_FILES} more"))
    if result.log_chunks:
        lines.append(("log", f"`gpujob logs {result.id}` prints it"))
    return lines


def _moment(at: float, now: float) -> str:
    past_s = now - at
    relative = ago(past_s) if past_s >= 0 else f"in {format_duration(-past_s)}"
    return f"{iso(at)} ({relative})"


def _sentence(text: str, more: str) -> str:
    return f"{text}: {more.strip()}" if more.strip() else text
