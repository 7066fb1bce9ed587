"""An answer while it grows, and what the result says of it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gpujob.bounds import MAX_COUNT
from gpujob.records import canonical_json

from .client import Model

MAX_CONTENT_BYTES = 96 * 1024  # of an answer inside the result; all of it is in the transcript
MAX_REASON = 100


@dataclass
class Answer:
    """What has been heard so far."""

    content: str = ""
    thinking: str = ""
    pieces: int = 0
    last: Any = None  # the daemon's closing word, with its counts and times

    def add(self, part: Any) -> None:
        """Takes one piece of the stream: `message`, and at the end `done`."""
        self.content += _text(part.message.content)
        self.thinking += _text(getattr(part.message, "thinking", None))
        self.pieces += 1
        if part.done:
            self.last = part


def output_of(answer: Answer, model: Model, wanted: Any) -> tuple[dict[str, Any], list[str]]:
    """The result's `output` and its warnings. Where a format was `wanted`, `json` is the answer read as JSON."""
    last = answer.last
    content = shortened(answer.content)
    output: dict[str, Any] = {
        "message": {"role": "assistant", "content": content},
        "done_reason": _text(last.done_reason)[:MAX_REASON] or "stop",
        "tokens": {"prompt": _count(last.prompt_eval_count), "completion": _count(last.eval_count)},
        "times": {
            "total": _seconds(last.total_duration),
            "load": _seconds(last.load_duration),
            "prompt": _seconds(last.prompt_eval_duration),
            "completion": _seconds(last.eval_duration),
        },
        "model": model.name,
        "digest": model.digest,
    }
    warnings = []
    if output["done_reason"] == "length":
        warnings.append(f"the answer was cut off after {output['tokens']['completion']} tokens (options.num_predict)")
    if content != answer.content:
        warnings.append(f"the result holds the first {MAX_CONTENT_BYTES // 1024} KiB of the answer, the transcript all")
    elif wanted is not None:
        try:
            output["json"] = parsed(content)
        except ValueError as error:
            warnings.append(f"the answer is not the JSON that `format` asked for: {error}")
    return output, warnings


def parsed(text: str) -> Any:
    """A text as JSON that can be written again: no NaN, no half of a surrogate pair. Raises ValueError."""
    try:
        value = json.loads(text)
        canonical_json(value)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def shortened(text: str, limit: int = MAX_CONTENT_BYTES) -> str:
    """The beginning of a text, at most `limit` bytes of UTF-8."""
    return text.encode()[:limit].decode(errors="ignore")


def facts_of(output: dict[str, Any], version: str, device: str) -> list[str]:
    """What stands below a transcript."""
    tokens, times = output["tokens"], output["times"]
    rate = f" ({tokens['completion'] / times['completion']:.1f} tokens/s)" if times["completion"] else ""
    return [
        f"{output['model']} ({output['digest'][:12]})",
        f"Ollama {version} on {device}",
        f"{tokens['prompt']} tokens in, {tokens['completion']} out",
        f"{times['total']:.1f} s{rate}",
        f"ended by {output['done_reason']}",
    ]


def _text(said: str | None) -> str:
    """What the daemon said, as text that can be written: half a character becomes a `?`."""
    return (said or "").encode(errors="replace").decode()


def _count(said: int | None) -> int:
    """A number of the daemon's, within what a record may hold."""
    return min(max(said or 0, 0), MAX_COUNT)


def _seconds(nanoseconds: int | None) -> float:
    return round(min(max(nanoseconds or 0, 0), 10**9 * MAX_COUNT) / 1e9, 3)
