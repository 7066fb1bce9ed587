"""Runs one narration: speaks what the cache does not have, and makes the files, the timeline and the subtitles.

Invariant: a step's file is uploaded before the next step is begun, and its sound is in the cache before that, so a
worker that dies costs one step. The cache keeps plain sound, whatever format the job asks for, so that another format
costs no speech. Between two pieces of text the job is asked whether it should go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from gpujob_worker.executor import Engine, JobContext, Outcome

from . import subtitles
from .formats import FORMATS, require_format, write_sound
from .script import Line, invalid, read_lines
from .sentences import Piece, split
from .timeline import Span, SpokenStep, cues, seconds, starts, step_records
from .wav import (
    CHANNELS,
    MAX_SAMPLES,
    SAMPLE_BYTES,
    SAMPLE_RATE,
    NotOurWav,
    read_wav,
    samples_of,
    silence,
    write_wav,
)

JOINED = "audio/all"
SUBTITLES = "subtitles/all"  # the same stem as the joined file, so that players find them


class Voice(Protocol):
    """What speaks: the model, or a stand-in for it in tests."""

    engine: Engine
    warning: str | None

    def say(self, text: str, line: Line) -> bytes: ...


def narrate(job: JobContext, voice: Voice, software: str) -> Outcome:
    """One attempt of a `tts.narrate` job."""
    form = str(job.input.get("format") or "wav")
    require_format(form)
    lines = read_lines(job.input)
    narrator = _Narrator(job, voice, software, form, len(lines))
    steps = [narrator.step(number, line) for number, line in enumerate(lines)]
    if job.input.get("concat"):
        narrator.join(steps)
    files = narrator.subtitle(steps, job.input.get("subtitles") or [])
    job.progress(len(lines), len(lines), "done")
    return Outcome(_output(steps, files), voice.engine, _warnings(voice, lines))


class _Narrator:
    """The parts of one attempt that need the job, the voice and the folder."""

    def __init__(self, job: JobContext, voice: Voice, software: str, form: str, total: int) -> None:
        self._job = job
        self._voice = voice
        self._software = software
        self._form = form
        self._total = total

    def step(self, number: int, line: Line) -> SpokenStep:
        """Speaks a step, or takes it from the cache, and uploads its file."""
        self._progress(number, 0.0, line)
        plain = self._job.workdir / "speech" / f"{number}.wav"
        plain.parent.mkdir(parents=True, exist_ok=True)
        key = line.cache_key(self._voice.engine, SAMPLE_RATE)
        spans = self._from_cache(key, line, plain)
        cached = spans is not None
        if spans is None:
            spans = self._speak(number, line, plain)
            self._job.cache.put(key, plain, {"spans": [[span.text, span.samples] for span in spans]})
        step = SpokenStep(line.id, f"audio/step-{line.id}.{self._form}", spans, line.pause_s, cached)
        self._publish(step.file, [read_wav(plain)], title=line.id, comment=self._comment(line))
        self._job.log(
            f"step {line.id}: {seconds(step.samples):.2f} s of speech" + (", from the cache" if cached else "")
        )
        return step

    def join(self, steps: Sequence[SpokenStep]) -> None:
        """One file of all steps with their pauses."""
        if self._form == "wav" and starts(steps)[-1] > MAX_SAMPLES:
            raise invalid("input.concat: the narration is longer than a WAV file can be (24 hours)", "Use flac.")
        self._publish(f"{JOINED}.{self._form}", self._sound_of(steps), title="all steps", comment=self._made_by())

    def subtitle(self, steps: Sequence[SpokenStep], forms: Sequence[str]) -> list[str]:
        """The subtitle files asked for; returns their names."""
        names = []
        for form in dict.fromkeys(forms):
            path = self._job.workdir / f"{SUBTITLES}.{form}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(subtitles.write(cues(steps), form), encoding="utf-8", newline="\n")
            self._job.artifact(f"{SUBTITLES}.{form}", path, media_type=subtitles.MEDIA_TYPES[form])
            names.append(f"{SUBTITLES}.{form}")
        return names

    def _speak(self, number: int, line: Line, plain: Path) -> tuple[Span, ...]:
        pieces = split(line.text)
        spans: list[Span] = []

        def sound() -> Iterator[bytes]:
            for index, piece in enumerate(pieces):
                self._job.check()
                spoken = self._voice.say(piece.text, line) + _rest(piece, line)
                spans.append(Span(piece.text, len(spoken) // SAMPLE_BYTES))
                self._progress(number, (index + 1) / len(pieces), line)
                yield spoken

        write_wav(plain, sound())
        return tuple(spans)

    def _from_cache(self, key: Mapping[str, Any], line: Line, plain: Path) -> tuple[Span, ...] | None:
        """The spans of an earlier equal step whose sound is now in `plain`; None where there is none that fits."""
        facts = self._job.cache.get(key, plain)
        if facts is None:
            return None
        try:
            spans = tuple(Span(str(text), int(samples)) for text, samples in facts["spans"])
            fits = len(read_wav(plain)) == SAMPLE_BYTES * sum(span.samples for span in spans)
        except (KeyError, TypeError, ValueError, NotOurWav, OSError):
            fits = False
        if not fits:
            self._job.log(f"step {line.id}: the cache's entry does not fit together; speaking it again")
            return None
        return spans

    def _publish(self, name: str, sound: Iterator[bytes] | list[bytes], *, title: str, comment: str) -> None:
        path = self._job.workdir / name
        tags = {"title": title, "software": self._software, "comment": comment}
        write_sound(path, self._form, sound, tags)
        self._job.artifact(name, path, media_type=FORMATS[self._form].media_type)

    def _sound_of(self, steps: Sequence[SpokenStep]) -> Iterator[bytes]:
        for number, step in enumerate(steps):
            yield read_wav(self._job.workdir / "speech" / f"{number}.wav")
            yield silence(step.pause_samples)

    def _comment(self, line: Line) -> str:
        return f"{self._made_by()}, {line.voice_name}, speed {line.speed:g}, {line.language}"

    def _made_by(self) -> str:
        engine = self._voice.engine
        return f"{engine.name} {engine.version}, {engine.revision}"

    def _progress(self, number: int, share: float, line: Line) -> None:
        self._job.check()
        self._job.progress(number + share, self._total, f"step {number + 1}/{self._total}: {line.id}")


def _rest(piece: Piece, line: Line) -> bytes:
    """The silence after a piece; who speaks faster pauses shorter."""
    return silence(samples_of(piece.pause_s / line.speed))


def _output(steps: Sequence[SpokenStep], files: Sequence[str]) -> dict[str, Any]:
    return {
        "sample_rate": SAMPLE_RATE,
        "channels": CHANNELS,
        "total_duration": seconds(starts(steps)[-1]),
        "steps_generated": len(steps),
        "steps": step_records(steps),
        "subtitles": list(files),
    }


def _warnings(voice: Voice, lines: Sequence[Line]) -> list[str]:
    found = [voice.warning] if voice.warning else []
    if any(line.language == "ja" and _has_han(line.text) for line in lines):
        found.append("Japanese is read from kana; kanji are not read aloud correctly: write those words in kana")
    return found


def _has_han(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)
