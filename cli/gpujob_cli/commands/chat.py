"""`gpujob chat`: one question to a language model, from flags."""

from __future__ import annotations

import json
import sys
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


class ChatFollower(Follower):
    """Prints the answer's text; where the files went is talk."""

    def answer(self, result: Result, files: list[Path]) -> None:
        """The text, on stdout."""
        if result.state == "succeeded":
            self.session.out.raw(str(result.output.get("message", {}).get("content", "")))
        for path in files:
            self.session.out.say(path)


def chat(
    session: Session,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The question; - is stdin.")],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="A model of Ollama; the first of chat_preload if left out.")
    ] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="How to behave.")] = None,
    image: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="A picture to look at; repeatable.")] = None,
    temperature: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="0 is the likeliest word, always.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Same seed, same options: same answer.")] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="N", help="At most so many tokens.")] = None,
    json_schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON Schema that the answer must follow.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Keep the transcript there.")] = None,
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
    """Ask a language model; its answer is printed.

    \b
    Example:
      gpujob chat "Why is the sky blue?" --model gemma3:270m
      gpujob chat - --model smollm2:135m --json-schema person.json < letter.txt
    """
    wishes = Wishes(target=target_of(out, force=force), timeout_s=duration("--timeout", timeout))
    pictures = [
        {"name": f"image-{number}{path.suffix}", "source": str(path)}
        for number, path in enumerate(image or (), start=1)
    ]
    given: dict[str, Any] = {
        "model": model or next(iter(session.settings.chat_preload), None),
        **_question(sys.stdin.read().strip() if prompt == "-" else prompt, system, [one["name"] for one in pictures]),
        "options": _given({"temperature": temperature, "seed": seed, "num_predict": max_tokens}) or None,
        "format": _schema(json_schema) if json_schema else None,
    }
    if given["model"] is None:
        raise InvalidSpec("--model missing", hint="Name one, such as --model gemma3:270m, or set GPUJOB_CHAT_PRELOAD.")
    shared = envelope(title, priority, label, idempotency_key, fallback, fallback_after)
    files = {"files": pictures} if pictures else {}
    spec = parse_object({"kind": "chat.complete", **shared, **files, "input": _given(given)}, source="<command line>")
    return do(session, spec, wishes, wait=wait, dry_run=dry_run, follower=ChatFollower)


def _question(prompt: str, system: str | None, images: list[str]) -> dict[str, Any]:
    """A prompt; with pictures, messages."""
    if not images:
        return {"prompt": prompt, "system": system}
    before = [{"role": "system", "content": system}] if system else []
    return {"messages": [*before, {"role": "user", "content": prompt, "images": images}]}


def _schema(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidSpec(f"--json-schema {path}: {error.strerror}") from None
    except ValueError as error:
        raise InvalidSpec(f"--json-schema {path}: not JSON: {error}") from None
    except RecursionError:
        raise InvalidSpec(f"--json-schema {path}: nested too deeply") from None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
