"""A spec: what a job is, and how the queue is to treat it.

Invariant: a `Spec` that exists is valid, and its canonical form is plain JSON of at most 256 KiB that says everything a
worker needs, with every default filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, PrivateAttr, ValidationError, WithJsonSchema

from gpujob.errors import Configuration
from gpujob.home_paths import at_home
from gpujob.specs.documents import NOWHERE, Place
from gpujob.specs.fields import Duration, FileName, Line, Size, Strict, clashes
from gpujob.specs.nearest import Refused
from gpujob.specs.problems import Finding, Path, show_path
from gpujob.specs.raw import rows
from gpujob.specs.registry import KIND_PATTERN, is_kind

MAX_SPEC_BYTES = 256 * 1024

_KEY = r"[a-z0-9][a-z0-9._-]{0,63}"
_ID = r"[0-9a-hjkmnp-tv-z]{26}"
_LABEL = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}"
_VARIABLE = r"[A-Z_][A-Z0-9_]{0,127}"


def _version(number: int) -> int:
    if number != 1:
        raise Refused(f"this gpujob reads specs of version 1, not {number}", "write 1, or take a gpujob that reads it")
    return number


def _kind(text: str) -> str:
    if not is_kind(text):
        raise Refused("characters: lower-case words with dots between them, such as tts.narrate")
    return text


def _idempotency_key(text: str) -> str:
    if re.fullmatch(_ID, text):
        raise Refused("has the form of a job's id", "choose a name of your own")
    if not re.fullmatch(_KEY, text):
        raise Refused('characters: 1 to 64 of a-z, 0-9, ".", "_" and "-", first a letter or a digit')
    return text


def _label_name(text: str) -> str:
    if not re.fullmatch(_LABEL, text):
        raise Refused(
            'a label\'s name has 1 to 63 of letters, digits, ".", "_", "/" and "-", first a letter or a digit'
        )
    return text


def _secret(text: str) -> str:
    if not re.fullmatch(_VARIABLE, text):
        raise Refused(
            "a name, not a value", "write the name of an environment variable of the worker, such as HF_TOKEN"
        )
    return text


def _local(source: str) -> str:
    if not source or "\0" in source:
        raise Refused("empty" if not source else "characters: a path on this machine")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source):
        raise Refused("a path on this machine, not an address", "fetch it first")
    return source


Version = Annotated[int, AfterValidator(_version), WithJsonSchema({"const": 1})]
Kind = Annotated[str, AfterValidator(_kind), WithJsonSchema({"type": "string", "pattern": f"^{KIND_PATTERN}$"})]
Key = Annotated[str, AfterValidator(_idempotency_key), WithJsonSchema({"type": "string", "pattern": f"^{_KEY}$"})]
LabelName = Annotated[str, AfterValidator(_label_name), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL}$"})]
Secret = Annotated[str, AfterValidator(_secret), WithJsonSchema({"type": "string", "pattern": f"^{_VARIABLE}$"})]
Source = Annotated[str, AfterValidator(_local), WithJsonSchema({"type": "string", "minLength": 1})]
Lasting = Annotated[Duration, Field(gt=0)]


class Backoff(Strict):
    """How long a failed job waits for its next attempt: doubled each time, with jitter."""

    initial: Duration = Field(default=5.0, description="Before the second attempt.")
    max: Duration = Field(default=120.0, description="At most.")


class Retry(Strict):
    """What happens after a failed attempt."""

    max_attempts: int = Field(default=3, ge=1, le=100, description="Failures after which the job has failed.")
    backoff: Backoff = Field(default_factory=Backoff, description="How long to wait in between.")


class Requires(Strict):
    """What a worker must have; one that lacks it leaves the job alone."""

    gpu_memory: Size | None = Field(default=None, description="Memory of the GPU, such as 8GB.")


class InputFile(Strict):
    """A file that travels with the job, uploaded once, by content."""

    name: FileName = Field(description="What the job calls it.")
    source: Source | None = Field(
        default=None, description="Where it lies, relative to the spec; the name itself if left out."
    )


class Spec(Strict):
    """A job to be: its kind, its input, and how the queue is to treat it.

    Made by `parse_specs` or `parse_object`, which also look at the input and at what two fields mean together.
    """

    version: Version = Field(default=1, description="The version of this format.")
    kind: Kind = Field(description="What is to be done: tts.narrate, image.generate, ... or a plug-in's own.")
    input: dict[str, JsonValue] = Field(description="What it is to be done with; by kind.")
    title: Line | None = Field(default=None, description="Free text for people.")
    labels: dict[LabelName, Line] = Field(default_factory=dict, max_length=64, description="To find jobs by.")
    priority: Literal["high", "normal", "low"] = Field(
        default="normal", description="First in, first out inside a level."
    )
    timeout: Lasting = Field(default=900.0, description="How long one attempt may run; a time-out may be retried.")
    ttl: Lasting = Field(default=86_400.0, description="Waiting and running together; then the job is expired.")
    retry: Retry = Field(default_factory=Retry, description="How often, and when, a failed job is tried again.")
    requires: Requires = Field(default_factory=Requires, description="What a worker must have.")
    files: Annotated[tuple[InputFile, ...], Field(strict=False, max_length=1000)] = Field(
        default=(), description="Files that travel with the job."
    )
    cache: Literal["auto", "refresh", "off"] = Field(
        default="auto", description="Whether results of steps are taken from the queue's cache, made anew, or not kept."
    )
    idempotency_key: Key | None = Field(
        default=None,
        description="Your own name for the job: submitting it again is a no-op, or a conflict if the spec differs.",
    )
    fallback: Literal["none", "local"] = Field(
        default="none", description="Whether this machine does the job if no worker does."
    )
    fallback_after: Duration = Field(default=120.0, description="How long to look for a live worker first.")
    secrets: Annotated[tuple[Secret, ...], Field(strict=False, max_length=64)] = Field(
        default=(), description="Names of environment variables of the worker, never values."
    )
    metadata: dict[str, JsonValue] = Field(default_factory=dict, description="Copied through to the result.")

    _warnings: tuple[str, ...] = PrivateAttr(default=())
    _source: str = PrivateAttr(default="<python>")
    _locate: Callable[[Path], Place] | None = PrivateAttr(default=None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was accepted but changed, or has no effect; a sentence each, `path: text`."""
        return self._warnings

    @property
    def source(self) -> str:
        """The file the spec was read from, or a name in angle brackets."""
        return self._source

    def place_of(self, path: Path) -> Place:
        """The line and column of a part of the spec in the text that it was read from; zeros where there is none."""
        return NOWHERE if self._locate is None else self._locate(path)

    def sources(self) -> dict[str, FilePath]:
        """Where each file of the job lies on this machine, by name; relative paths start at the spec's folder."""
        folder = FilePath() if self._source.startswith("<") or self._source == "-" else FilePath(self._source).parent
        return {file.name: folder / at_home(file.source or file.name) for file in self.files}

    def canonical(
        self, defaults: Mapping[str, Any] | None = None, *, digests: Mapping[str, Mapping[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Plain JSON with all defaults filled in: durations in seconds, sizes in bytes, `files` as `{name, ...}`.

        `defaults` (a queue's own) stand in for ours wherever the spec itself says nothing; fields that no queue can
        decide are ignored. `digests` adds what is known of a file, such as its sha256 and size, to its entry.
        """
        own = self.model_dump(mode="json", exclude_unset=True)
        merged = _merge(_queue_defaults(defaults or {}), own)
        plain = _filled(merged).model_dump(mode="json")
        plain["requires"] = {name: value for name, value in plain["requires"].items() if value is not None}
        plain["files"] = [{"name": file.name, **(digests or {}).get(file.name, {})} for file in self.files]
        return {name: value for name, value in plain.items() if value is not None}


_DECIDED_BY_QUEUE = ("priority", "timeout", "ttl", "retry", "cache", "fallback", "fallback_after", "requires")


def _filled(merged: Mapping[str, Any]) -> Spec:
    try:
        return Spec.model_validate(merged)
    except ValidationError as error:
        wrong = ", ".join(show_path(detail["loc"]) for detail in error.errors(include_url=False))
        hint = "look at the queue's queue.json; `gpujob init` writes it"
        raise Configuration(f"the queue's defaults are not valid: {wrong}", hint=hint) from error


def _queue_defaults(defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: defaults[name] for name in _DECIDED_BY_QUEUE if defaults.get(name) is not None}


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins, field by field, also inside `retry`, `backoff` and `requires`."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        nested = name in ("retry", "backoff", "requires") and isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[name] = _merge(below, value) if nested and below is not None else value
    return merged


def check_envelope(given: Mapping[str, Any], spec: Spec | None) -> Iterator[Finding]:
    """What one field alone cannot show; `spec` is the envelope where it is valid."""
    yield from clashes(
        [((*path, "name"), row["name"]) for path, row in rows(given, "files") if isinstance(row.get("name"), str)]
    )
    if spec is None:
        return
    if spec.retry.backoff.max < spec.retry.backoff.initial:
        yield Finding(("retry", "backoff", "max"), "must not be shorter than initial")
    if "timeout" in given and spec.timeout > spec.ttl:
        yield Finding(("timeout",), "longer than ttl, which ends the job first", warning=True)
    if "fallback_after" in given and spec.fallback == "none":
        yield Finding(("fallback_after",), "has no effect without fallback: local", warning=True)
