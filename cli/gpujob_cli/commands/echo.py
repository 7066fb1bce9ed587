"""`gpujob echo`: a job without a model, for trying a queue out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gpujob.errors import InvalidSpec
from gpujob.records import Result
from gpujob.specs import parse_object
from gpujob_cli.collecting import target_of
from gpujob_cli.flags import (
    DryRunFlag,
    FallbackAfterFlag,
    FallbackFlag,
    ForceFlag,
    KeyFlag,
    LabelFlag,
    PriorityFlag,
    TitleFlag,
    duration,
)
from gpujob_cli.following import Follower, Wishes
from gpujob_cli.session import Session
from gpujob_cli.shortcuts import do, envelope


class EchoFollower(Follower):
    """Prints the message that came back, then the files."""

    def answer(self, result: Result, files: list[Path]) -> None:
        """The message, on stdout."""
        if result.state == "succeeded":
            message = result.output.get("message")
            self.session.out.raw(f"{message if isinstance(message, str) else json.dumps(message)}\n")
        super().answer(result, files)


def echo(
    session: Session,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What comes back.")] = "hello",
    sleep: Annotated[str | None, typer.Option(metavar="TIME", help="Pretend to work for so long.")] = None,
    artifact: Annotated[list[str] | None, typer.Option(metavar="NAME=SIZE", help="Make a file; repeatable.")] = None,
    fail: Annotated[str | None, typer.Option(metavar="TEXT", help="Fail with this text.")] = None,
    fail_attempts: Annotated[int | None, typer.Option(metavar="N", help="Fail only the first N attempts.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Download the files into DIR.")] = None,
    force: ForceFlag = False,
    title: TitleFlag = None,
    priority: PriorityFlag = None,
    label: LabelFlag = None,
    idempotency_key: KeyFlag = None,
    fallback: FallbackFlag = None,
    fallback_after: FallbackAfterFlag = None,
    dry_run: DryRunFlag = False,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Stop waiting after so long; exit 124.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answer.")] = True,
) -> int:
    """A job without a model: its message comes back.

    \b
    Example:
      gpujob echo "are you there?"
      gpujob echo --sleep 10s --artifact data/one.bin=1MB -o out/
    """
    given: dict[str, Any] = {
        "message": message,
        "sleep": sleep,
        "artifacts": [_artifact(pair) for pair in artifact] if artifact else None,
        "fail": fail,
        "fail_attempts": fail_attempts,
    }
    shared = envelope(title, priority, label, idempotency_key, fallback, fallback_after)
    spec = parse_object(
        {"kind": "echo", **shared, "input": {name: value for name, value in given.items() if value is not None}},
        source="<command line>",
    )
    wishes = Wishes(target=target_of(out, force=force), timeout_s=duration("--timeout", timeout))
    return do(session, spec, wishes, wait=wait, dry_run=dry_run, follower=EchoFollower)


def _artifact(pair: str) -> dict[str, str]:
    name, equals, size = pair.rpartition("=")
    if not equals:
        raise InvalidSpec(f"--artifact {pair!r} is not NAME=SIZE", hint="Write it like --artifact data/one.bin=1MB.")
    return {"name": name, "bytes": size}
