"""`gpujob demo`: the tour of the README, with the real speech model, told step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gpujob.clock import SYSTEM
from gpujob.records import Result
from gpujob.specs import Spec, format_duration, parse_object
from gpujob_cli.collecting import Target, require_writable
from gpujob_cli.following import Follower, Wishes
from gpujob_cli.sending import send
from gpujob_cli.serving import Serving
from gpujob_cli.session import Session
from gpujob_cli.text import clock

DEFAULT_OUT = Path("demo-out")
KIND = "tts.narrate"
LINES = {
    "hello": "Hello. This voice has travelled through a bucket.",
    "work": "A worker took the job, spoke every line, and put the sound back.",
    "end": "No server was needed, only a folder on your disk.",
}


def demo(
    session: Session,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where everything goes.")] = DEFAULT_OUT,
    voice: Annotated[str, typer.Option(metavar="NAME", help="Who speaks.")] = "af_heart",
) -> int:
    """The tour of the README: real speech through a bucket, in ./demo-out.

    \b
    Example:
      gpujob demo
      gpujob demo --voice bf_emma

    The bucket is the folder DIR/bucket; look into it. A second run speaks nothing again: every step is cached.
    """
    started_s = SYSTEM.elapsed()
    require_writable(out)
    if session.store_flag is None:
        session.use((out.absolute() / "bucket").as_uri())
    spec = demo_spec(voice)
    say = session.out.say
    say(f"1. A bucket is all the server there is. This one is a folder: {session.url}", style="bold")
    serving = Serving(session, {KIND})
    say(
        "2. A worker is a process that looks into the bucket for jobs. It may be on any machine that reaches it.",
        style="bold",
    )
    serving.prepare()
    say(f"3. The job is one small object: {len(LINES)} lines of text. Its id:", style="bold")
    jobs = send(session, [spec])
    say("4. Waiting is reading: the worker's progress is in the bucket, too.", style="bold")
    follower = Follower(session, jobs, Wishes(target=Target(out, force=True)), serving)
    code = follower.follow()
    for result in follower.results.values():
        if result.state == "succeeded":
            _tell_the_end(session, result, out, SYSTEM.elapsed() - started_s)
    return code


def demo_spec(voice: str) -> Spec:
    """Three lines, joined into one file, with subtitles."""
    given: dict[str, Any] = {
        "kind": KIND,
        "title": "gpujob demo",
        "input": {
            "voice": voice,
            "steps": [{"id": name, "narration": line} for name, line in LINES.items()],
            "concat": True,
            "subtitles": ["srt", "vtt"],
        },
    }
    return parse_object(given, source="<demo>")


def _tell_the_end(session: Session, result: Result, out: Path, took_s: float) -> None:
    say = session.out.say
    seconds = result.output.get("total_duration")
    length = (
        f"{clock(seconds)} of speech and its subtitles are" if isinstance(seconds, int | float) else "The files are"
    )
    say(f"5. {length} in {out}/ (listed on stdout), each checked by its sha256.", style="bold")
    steps = result.output.get("steps")
    if isinstance(steps, list) and steps and all(isinstance(step, dict) and step.get("cached") for step in steps):
        say("   Nothing was spoken again: every line was in the bucket's cache from an earlier run.")
    else:
        say("   Run it again: every line is in the bucket's cache now. Change one line, and only that one is spoken.")
    say(f'All of it took {format_duration(took_s)}. Now yours: gpujob tts "Any text you like."', style="good")
