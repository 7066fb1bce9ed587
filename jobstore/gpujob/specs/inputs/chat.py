"""The input of `chat.complete`: a conversation for a model of Ollama.

Invariant: there is either a prompt or messages, never both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, WithJsonSchema

from gpujob.specs.fields import FileName, Input, Line, Strict, Text, whole
from gpujob.specs.nearest import Refused, did_you_mean
from gpujob.specs.problems import Finding
from gpujob.specs.quantities import parse_duration
from gpujob.specs.raw import rows, words


def _keep_alive(value: Any) -> float:
    if value == -1 and not isinstance(value, bool):
        return -1
    return whole(parse_duration(value))


def _format(value: Any) -> Any:
    if value != "json" and not isinstance(value, dict):
        raise Refused('a JSON Schema, or "json"')
    return value


def _stop(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_KEEP_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string"}], "examples": ["5m", 0, -1]}

KeepAlive = Annotated[float, BeforeValidator(_keep_alive), WithJsonSchema(_KEEP_SCHEMA)]
Format = Annotated[
    JsonValue, BeforeValidator(_format), WithJsonSchema({"anyOf": [{"type": "object"}, {"const": "json"}]})
]
Stop = Annotated[
    tuple[str, ...],
    Field(strict=False, max_length=16),
    BeforeValidator(_stop),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Message(Strict):
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant", "tool"] = Field(description="Who speaks.")
    content: str = Field(description="What is said.")
    images: Annotated[tuple[FileName, ...], Field(strict=False)] | None = Field(
        default=None, description="Pictures to look at: names of the job's files."
    )


class ChatOptions(Strict):
    """How the model draws its words."""

    temperature: Annotated[float, Field(ge=0, le=10)] | None = Field(
        default=None, description="0 is the likeliest word, always."
    )
    top_p: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Draw from this share of likelihood."
    )
    top_k: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Draw from so many words.")
    seed: int | None = Field(default=None, description="Same seed, same options: same answer.")
    num_ctx: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Size of the context, in tokens.")
    num_predict: Annotated[int, Field(ge=-2)] | None = Field(
        default=None, description="At most so many tokens; -1 without end."
    )
    stop: Stop | None = Field(default=None, description="A text, or several, at which the answer ends.")


class Chat(Input):
    """An answer from a language model."""

    model: Line = Field(min_length=1, description='A model of Ollama, such as "gemma3:270m".')
    messages: Annotated[tuple[Message, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, description="The conversation so far; in place of `prompt`."
    )
    prompt: Text | None = Field(default=None, description="One question; in place of `messages`.")
    system: str | None = Field(default=None, description="How to behave; beside `prompt`.")
    options: ChatOptions = Field(default_factory=ChatOptions, description="Temperature, seed, length and the like.")
    format: Format | None = Field(default=None, description="A JSON Schema that the answer must follow.")
    keep_alive: KeepAlive | None = Field(default=None, description="How long the model stays in memory; -1 for ever.")

    @classmethod
    def check(cls, given: Mapping[str, Any], files: frozenset[str]) -> Iterator[Finding]:
        """Either a prompt or messages; pictures are files of the job."""
        if "prompt" not in given and "messages" not in given:
            yield Finding((), "prompt missing", 'give "prompt", or "messages"')
        for field in ("prompt", "system"):
            if field in given and "messages" in given:
                yield Finding((field,), "given beside messages", "make it one of the messages")
        for path, row in rows(given, "messages"):
            for tail, name in words(row, "images"):
                if name not in files:
                    yield Finding(
                        path + tail, "not one of the job's files", did_you_mean(name, files) or 'list it under "files"'
                    )
