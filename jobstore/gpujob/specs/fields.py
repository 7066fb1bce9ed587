"""The types of a spec's fields: durations, sizes, safe names and the like, each with its sentence and its JSON Schema.

Invariant: a `FileName` is a relative POSIX path that stays inside its folder on every system.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from gpujob import keys
from gpujob.errors import UnsafeName
from gpujob.specs.nearest import Refused
from gpujob.specs.problems import Finding, Path
from gpujob.specs.quantities import parse_duration, parse_size


class Strict(BaseModel):
    """Base of every part of a spec: no unknown fields, no silent conversions, no changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    aliases: ClassVar[Mapping[str, str]] = {}
    """Other names under which a field is accepted."""

    short_forms: ClassVar[Mapping[str, str]] = {}
    """Fields that `reshape` writes out, and what they stand for."""


class Input(Strict):
    """Base of our kinds' inputs. A plug-in may use it too, or any pydantic model of its own."""

    @classmethod
    def reshape(cls, given: dict[str, Any]) -> tuple[dict[str, Any], dict[Path, Path]]:
        """The input with short forms written out, and where each part that moved had stood."""
        return given, {}

    @classmethod
    def check(cls, given: Mapping[str, Any], files: frozenset[str]) -> Iterator[Finding]:
        """What one field alone cannot show. `given` may be wrong in any way; `files` are the job's own."""
        yield from ()

    def canonical(self) -> dict[str, Any]:
        """Plain JSON with every default filled in; what is left to the worker is left out."""
        return self.model_dump(mode="json", exclude_none=True)


def whole(seconds: float) -> float | int:
    """A whole number of seconds without its `.0`, so that equal specs are equal JSON."""
    return int(seconds) if seconds == int(seconds) else seconds


def _not_blank(text: str) -> str:
    if not text.strip():
        raise Refused("empty")
    return text


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise Refused("one line of text without control characters")
    return text


def _at_most_200(text: str) -> str:
    if len(text) > 200:
        raise Refused("too long: characters at most 200")
    return text


def file_name(text: str) -> str:
    """The name itself if it stays inside its folder; raises `Refused` where it does not."""
    parts = text.split("/")
    if not text:
        raise Refused("empty")
    if _CONTROL.search(text) or "\\" in text or ":" in text or len(text) > 512:
        raise Refused("characters: a relative path with / between its parts, without \\, : or control characters")
    if text.startswith("/") or any(part in ("", ".", "..") or len(part.encode()) > 200 for part in parts):
        raise Refused("a relative path that stays inside its folder")
    try:
        return keys.artifact_name(text)
    except UnsafeName as error:
        raise Refused("characters: a relative path of printable characters") from error


_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?|(\d+(\.\d+)?\s*(ms|[dhms])\s*)+)\s*$"},
    ],
    "examples": ["30s", "10m", "2h", "400ms"],
}
_SIZE_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*[kKmMgGtTpP]?[iI]?[bB]?\s*$"},
    ],
    "examples": ["8GB", "512MiB"],
}
_NAME_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 512, "pattern": r"^[^/\\:][^\\:]*$"}

Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(whole), WithJsonSchema(_DURATION_SCHEMA, mode="validation")
]
Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema(_SIZE_SCHEMA, mode="validation")]
Text = Annotated[str, AfterValidator(_not_blank), WithJsonSchema({"type": "string", "pattern": r"\S"})]
Line = Annotated[
    str, AfterValidator(_one_line), AfterValidator(_at_most_200), WithJsonSchema({"type": "string", "maxLength": 200})
]
FileName = Annotated[str, AfterValidator(file_name), WithJsonSchema(_NAME_SCHEMA)]


def clashes(names: list[tuple[Path, str]]) -> Iterator[Finding]:
    """Names that would be one file, or a file and its own folder, on some system that folds case."""
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path, name in names:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        parents = ["/".join(folded.split("/")[:depth]) for depth in range(1, folded.count("/") + 1)]
        if folded in seen:
            yield Finding(
                path, "duplicate" if seen[folded] == name else f'duplicate of "{seen[folded]}" but for its spelling'
            )
        elif folded in folders or any(parent in seen for parent in parents):
            yield Finding(path, "one name is a folder of another")
        seen.setdefault(folded, name)
        folders.update(dict.fromkeys(parents, name))
