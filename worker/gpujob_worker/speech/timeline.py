"""Where each step begins and ends in the narration, and the cues that follow from it.

Invariant: everything is counted in samples and turned into seconds once, at the end, so that nothing drifts.

A step's file holds its speech and ends with the short silence that the end of a sentence asks for. `pause_after`
is silence after the step: it is part of the joined file and of the timeline, not of the step's own file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .subtitles import Cue
from .wav import SAMPLE_RATE, samples_of


@dataclass(frozen=True)
class Span:
    """A piece of text and the samples it takes, its closing silence with it."""

    text: str
    samples: int


@dataclass(frozen=True)
class SpokenStep:
    """One step as it was spoken."""

    id: str
    file: str
    spans: tuple[Span, ...]
    pause_s: float
    cached: bool

    @property
    def samples(self) -> int:
        return sum(span.samples for span in self.spans)

    @property
    def pause_samples(self) -> int:
        return samples_of(self.pause_s)


def starts(steps: Sequence[SpokenStep]) -> list[int]:
    """The sample at which each step begins, and last the one at which the narration ends."""
    marks = [0]
    for step in steps:
        marks.append(marks[-1] + step.samples + step.pause_samples)
    return marks


def step_records(steps: Sequence[SpokenStep]) -> list[dict[str, Any]]:
    """`output.steps`: durations are of the step's file, start and end are places in the narration."""
    return [
        {
            "id": step.id,
            "file": step.file,
            "samples": step.samples,
            "duration": seconds(step.samples),
            "start": seconds(start),
            "end": seconds(start + step.samples),
            "cached": step.cached,
        }
        for step, start in zip(steps, starts(steps), strict=False)
    ]


def cues(steps: Sequence[SpokenStep]) -> list[Cue]:
    """One cue for each piece that was spoken in one go; a short step is one piece."""
    found = []
    for step, start in zip(steps, starts(steps), strict=False):
        at = start
        for span in step.spans:
            found.append(Cue(at / SAMPLE_RATE, (at + span.samples) / SAMPLE_RATE, span.text))
            at += span.samples
    return found


def seconds(samples: int) -> float:
    """The length of so many samples in seconds, to the microsecond."""
    return round(samples / SAMPLE_RATE, 6)
