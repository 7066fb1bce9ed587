"""A narration's input as lines to speak, each with everything that its sound depends on.

Invariant: two lines with the same `cache_key` sound the same. What a line is called, and the pause after it, are not
part of its sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpujob.errors import JobFailed
from gpujob.specs.voices import language_of, parse_voice, suits
from gpujob_worker.executor import Engine

from .sentences import tidy

RECIPE = 1  # raise it when the same text, voice and model come to sound different: pieces, pauses, levels
MAX_RECORDS_BYTES = 240 * 1024  # of `output.steps`, so that the result holds them all
_RECORD_BYTES = 180  # one step's record but for its id, which it has twice
_WEIGHT_DIGITS = 6

Mix = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Line:
    """One step: what to say, in which voice, and the silence that follows in the timeline."""

    id: str
    text: str
    voice: Mix  # weights add up to 1, sorted by name
    speed: float
    language: str
    pause_s: float

    @property
    def voice_name(self) -> str:
        """The voice, or the mix in shares: `af_bella(0.667)+af_sky(0.333)`."""
        if len(self.voice) == 1:
            return self.voice[0][0]
        return "+".join(f"{name}({weight:.3g})" for name, weight in self.voice)

    def cache_key(self, engine: Engine, sample_rate: int) -> dict[str, Any]:
        """All that the sound depends on, as JSON."""
        return {
            "what": "speech",
            "recipe": RECIPE,
            "engine": f"{engine.name} {engine.version}",
            "model": engine.revision,
            "text": self.text,
            "voice": [[name, weight] for name, weight in self.voice],
            "speed": self.speed,
            "language": self.language,
            "sample_rate": sample_rate,
        }


def read_lines(job_input: Mapping[str, Any]) -> list[Line]:
    """The steps with the input's own voice, speed and language filled in. Raises JobFailed(invalid_input)."""
    lines = [_line(step, job_input) for step in job_input.get("steps") or []]
    if not lines:
        raise invalid("input.steps: there is nothing to say")
    if sum(_RECORD_BYTES + 2 * len(line.id) for line in lines) > MAX_RECORDS_BYTES:
        raise invalid(f"input.steps: {len(lines)} steps are more than one result can list", "make several jobs of it")
    return lines


def invalid(message: str, hint: str | None = None) -> JobFailed:
    """A failure that trying again will not cure."""
    return JobFailed(message, type="invalid_input", retryable=False, hint=hint)


def _line(step: Mapping[str, Any], job_input: Mapping[str, Any]) -> Line:
    voice = step.get("voice") or job_input.get("voice") or "af_heart"
    text = tidy(str(step.get("narration") or ""))
    if not any(letter.isalnum() for letter in text):
        raise invalid(f"step {step.get('id')!r}: its narration has no word to say", "write some text, or drop the step")
    return Line(
        id=str(step["id"]),
        text=text,
        voice=_mix(voice),
        speed=float(step.get("speed") or job_input.get("speed") or 1.0),
        language=_language(step.get("language"), job_input.get("language"), voice),
        pause_s=float(step.get("pause_after") or 0.0),
    )


def _mix(voice: str) -> Mix:
    try:
        parts = parse_voice(voice)
    except ValueError as error:
        raise invalid(f"voice {voice!r}: {error}") from error
    total = sum(weight for _, weight in parts)
    return tuple(sorted((name, round(weight / total, _WEIGHT_DIGITS)) for name, weight in parts))


def _language(own: str | None, general: str | None, voice: str) -> str:
    """The step's own language, else the narration's if this step's voice speaks it, else the voice's."""
    if own:
        return own
    if general and suits(general, voice):
        return general
    return language_of(voice)
