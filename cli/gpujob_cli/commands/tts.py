"""`gpujob tts`: a narration from flags."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gpujob.specs import parse_object
from gpujob_cli.collecting import Target, require_writable
from gpujob_cli.flags import (
    DryRunFlag,
    FallbackAfterFlag,
    FallbackFlag,
    ForceFlag,
    KeyFlag,
    LabelFlag,
    OutFlag,
    PriorityFlag,
    TitleFlag,
    WaitFlag,
)
from gpujob_cli.following import Wishes
from gpujob_cli.session import Session
from gpujob_cli.shortcuts import do, envelope

DEFAULT_OUT = Path("gpujob-out")


def tts(
    session: Session,
    text: Annotated[list[str], typer.Argument(metavar="TEXT", help="What is said, a step each; - is stdin.")],
    voice: Annotated[
        str | None, typer.Option(metavar="NAME", help="A voice, or a mix such as 'af_bella(2)+af_sky(1)'.")
    ] = None,
    speed: Annotated[float | None, typer.Option(metavar="NUMBER", help="0.5 to 2.0.")] = None,
    language: Annotated[str | None, typer.Option(metavar="CODE", help="Must suit the voice.")] = None,
    concat: Annotated[bool, typer.Option("--concat", help="Also join all steps into one file.")] = False,
    subtitles: Annotated[str | None, typer.Option(metavar="srt,vtt", help="Subtitles of the joined audio.")] = None,
    audio_format: Annotated[
        str | None, typer.Option("--format", metavar="wav|flac|mp3|opus", help="The format of the audio files.")
    ] = None,
    out: OutFlag = None,
    force: ForceFlag = False,
    title: TitleFlag = None,
    priority: PriorityFlag = None,
    label: LabelFlag = None,
    idempotency_key: KeyFlag = None,
    fallback: FallbackFlag = None,
    fallback_after: FallbackAfterFlag = None,
    dry_run: DryRunFlag = False,
    wait: WaitFlag = True,
) -> int:
    """Speak a text; the audio files come back into a folder.

    \b
    Example:
      gpujob tts "Hello from a bucket." -o hello/
      gpujob tts "First this." "Then that." --voice bf_emma --concat --subtitles srt --format mp3

    Without -o the files go to ./gpujob-out/<id>/.
    """
    require_writable(out or DEFAULT_OUT)
    lines = [sys.stdin.read().strip() if line == "-" else line for line in text]
    given: dict[str, Any] = {
        "voice": voice,
        "speed": speed,
        "language": language,
        "format": audio_format,
        "concat": concat or None,
        "subtitles": [one.strip() for one in subtitles.split(",")] if subtitles else None,
        "steps": [{"id": f"{number:02}", "narration": line} for number, line in enumerate(lines, start=1)],
    }
    shared = envelope(title, priority, label, idempotency_key, fallback, fallback_after)
    spec = parse_object(
        {"kind": "tts.narrate", **shared, "input": {name: value for name, value in given.items() if value is not None}},
        source="<command line>",
    )
    target = Target(out or DEFAULT_OUT, force=force, by_id=out is None)
    return do(session, spec, Wishes(target=target), wait=wait, dry_run=dry_run)
