"""The input of `tts.narrate`: a script in steps, spoken by Kokoro.

Invariant: in the canonical form every voice has its language beside it, and the two suit each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from gpujob.specs.fields import Duration, Input, Strict
from gpujob.specs.nearest import Refused
from gpujob.specs.problems import Finding, Path
from gpujob.specs.raw import rows
from gpujob.specs.voices import (
    DEFAULT_VOICE,
    LANGUAGES,
    VOICES,
    language_of,
    parse_language,
    parse_voice,
    suits,
    voice_for,
)

_STEP_ID = r"[A-Za-z0-9._-]{1,64}"


def _voice(text: str) -> str:
    parse_voice(text)
    return text


def _language(text: str) -> str:
    parse_language(text)
    return text


def _spoken(text: str) -> str:
    if not any(letter.isalnum() for letter in text):
        raise Refused("empty" if not text.strip() else "has no word to say")
    return text


def _step_id(text: str) -> str:
    if not re.fullmatch(_STEP_ID, text):
        raise Refused('characters: 1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-"')
    return text


_VOICE_SCHEMA = {"anyOf": [{"enum": list(VOICES)}, {"type": "string", "pattern": r"[+(]"}]}

Voice = Annotated[str, AfterValidator(_voice), WithJsonSchema(_VOICE_SCHEMA)]
Language = Annotated[str, AfterValidator(_language), WithJsonSchema({"type": "string", "examples": list(LANGUAGES)})]
Speed = Annotated[float, Field(ge=0.5, le=2.0)]
StepId = Annotated[str, AfterValidator(_step_id), WithJsonSchema({"type": "string", "pattern": f"^{_STEP_ID}$"})]
Spoken = Annotated[str, AfterValidator(_spoken), WithJsonSchema({"type": "string", "pattern": r"\S"})]
Pause = Annotated[Duration, Field(le=600)]


class Step(Strict):
    """One piece of narration: one artifact, `audio/step-<id>.wav`."""

    id: StepId = Field(description="Names the step and its file; each id once.")
    narration: Spoken = Field(description="What is said.")
    voice: Voice | None = Field(default=None, description="Another voice for this step.")
    speed: Speed | None = Field(default=None, description="Another speed for this step.")
    language: Language | None = Field(default=None, description="Another language for this step.")
    pause_after: Pause | None = Field(
        default=None, description="Silence after this step in the joined file, at most 10m."
    )

    aliases: ClassVar[Mapping[str, str]] = {
        "text": "narration",
        "lang": "language",
        "lang_code": "language",
        "speech_speed": "speed",
    }


class Narration(Input):
    """A script that Kokoro speaks, 24 kHz mono."""

    voice: Voice = Field(default=DEFAULT_VOICE, description="A voice, or a mix such as `af_bella(2)+af_sky(1)`.")
    speed: Speed = Field(default=1.0, description="How fast, 1.0 being the voice's own pace.")
    language: Language | None = Field(
        default=None, description="Must suit the voice's first letter, and follows from it where it is left out."
    )
    steps: Annotated[tuple[Step, ...], Field(strict=False, min_length=1, max_length=5000)] = Field(
        default=(), description="The script, step by step."
    )
    format: Literal["wav", "flac", "mp3", "opus"] = Field(default="wav", description="The format of the audio files.")
    subtitles: Annotated[tuple[Literal["srt", "vtt"], ...], Field(strict=False)] = Field(
        default=(), description="Subtitles to write for the joined audio."
    )
    concat: bool = Field(default=False, description="Also join all steps into one file.")

    aliases: ClassVar[Mapping[str, str]] = {
        "lang": "language",
        "lang_code": "language",
        "speech_speed": "speed",
        "segments": "steps",
    }
    short_forms: ClassVar[Mapping[str, str]] = {"text": "The whole script as one step, in place of `steps`."}

    @classmethod
    def reshape(cls, given: dict[str, Any]) -> tuple[dict[str, Any], dict[Path, Path]]:
        """`text: Hello` is one step."""
        if "text" not in given or "steps" in given:
            return given, {}
        rest = {key: value for key, value in given.items() if key != "text"}
        steps = [{"id": "01", "narration": given["text"]}]
        return {**rest, "steps": steps}, {
            ("steps",): ("text",),
            ("steps", 0): ("text",),
            ("steps", 0, "narration"): ("text",),
        }

    @classmethod
    def check(cls, given: Mapping[str, Any], files: frozenset[str]) -> Iterator[Finding]:
        """There are steps, their ids differ, and every language suits its voice."""
        if "text" in given:
            yield Finding(("text",), "given beside steps", "keep one of the two")
        elif "steps" not in given:
            yield Finding((), "steps missing", 'give "steps" with an id and a narration each, or "text"')
        yield from _duplicate_ids(given)
        yield from _unsuited(given, (), DEFAULT_VOICE)
        for path, row in rows(given, "steps"):
            yield from _unsuited(row, path, given.get("voice", DEFAULT_VOICE))

    def canonical(self) -> dict[str, Any]:
        """Languages follow from voices."""
        plain = super().canonical()
        plain["language"] = parse_language(self.language or language_of(self.voice), self.voice)
        for step, row in zip(self.steps, plain["steps"], strict=True):
            if step.voice is not None or step.language is not None:
                voice = step.voice or self.voice
                row["language"] = parse_language(step.language or language_of(voice), voice)
        return plain


def _duplicate_ids(given: Mapping[str, Any]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for path, row in rows(given, "steps"):
        step = row.get("id")
        if not isinstance(step, str):
            continue
        first = seen.setdefault(step.casefold(), _shown(path))
        if first != _shown(path):
            yield Finding((*path, "id"), f"duplicate of {first}", "every step needs an id of its own")


def _shown(path: Path) -> str:
    """`steps[0]`, as people see it."""
    return f"{path[0]}[{path[1]}]"


def _unsuited(row: Mapping[str, Any], path: Path, voice: Any) -> Iterator[Finding]:
    """A language beside a voice that does not speak it; silent about names that are wrong by themselves."""
    voice, language = row.get("voice", voice), row.get("language")
    if not isinstance(voice, str) or not isinstance(language, str):
        return
    try:
        fits, spoken = suits(language, voice), language_of(voice)
        other = voice_for(parse_language(language))
    except Refused:
        return
    if not fits:
        message = f"does not suit voice {voice} ({spoken})"
        yield Finding((*path, "language"), message, f'write "{spoken}", or take a voice such as {other}')
