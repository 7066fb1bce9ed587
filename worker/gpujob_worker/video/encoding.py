"""Runs one `video.encode` job: its operations one after the other, each result uploaded as soon as it is made.

Invariant: everything is checked that can be before the first operation begins, and ffmpeg reads and writes in one folder
of the attempt's own, under names of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpujob.errors import JobFailed
from gpujob_worker.executor import Engine, JobContext, Outcome

from . import graphs, nvenc, program
from .codecs import Codecs, choose
from .containers import Container, container_of
from .failures import cause, failure, invalid
from .graphs import Source, Task
from .loudness import measured
from .probing import Media, probe
from .progress import ProgressReader
from .running import Ended, run

MAX_RECORDS_BYTES = 240 * 1024  # of `output.files`, so that the result holds them all
_RECORD_BYTES = 320  # one file's record but for its name
_WITHOUT_CODECS = ("thumbnail", "gif")
_LOGGED_LINES = 40
_LONGEST_LINE = 500
_GENERAL = ("-hide_banner", "-nostdin", "-nostats", "-progress", "pipe:1", "-stats_period", "0.5", "-y")


def encode(job: JobContext, found: program.Program, software: str) -> Outcome:
    """One attempt of a `video.encode` job."""
    operations: Sequence[Mapping[str, Any]] = job.input["operations"]
    if sum(_RECORD_BYTES + len(str(one["output"]).encode()) for one in operations) > MAX_RECORDS_BYTES:
        raise invalid(f"input.operations: {len(operations)} are more than one result can list", "Make several jobs.")
    containers = [_checked(number, operation) for number, operation in enumerate(operations)]
    encoder = _Encoder(job, found, software, len(operations))
    records = [
        encoder.operation(number, operation, container)
        for number, (operation, container) in enumerate(zip(operations, containers, strict=True))
    ]
    job.progress(len(operations), len(operations), "done")
    device = "nvenc" if any(str(record.get("encoder", "")).endswith("_nvenc") for record in records) else "cpu"
    engine = Engine(name="ffmpeg", version=program.version(found), device=device)
    return Outcome({"files": records}, engine, encoder.warnings)


def _checked(number: int, operation: Mapping[str, Any]) -> Container:
    """The container of the result, once all is known to be possible that can be known without the files."""
    where = f"input.operations[{number}]"
    container = container_of(str(operation["type"]), str(operation["output"]), where)
    if operation["type"] not in _WITHOUT_CODECS:
        choose(operation, container, where, nvenc=False)
    return container


class _Encoder:
    """The parts of one attempt that need the job and its folder."""

    def __init__(self, job: JobContext, found: program.Program, software: str, total: int) -> None:
        self.warnings: list[str] = []
        self._job = job
        self._program = found
        self._software = software
        self._total = total
        self._done = 0.0
        self._gpu = True  # as long as it has not failed in this job
        self._files: dict[str, Path] = dict(job.files)
        self._media: dict[str, Media] = {}
        self._folder = job.workdir / "ffmpeg"
        self._folder.mkdir(parents=True, exist_ok=True)

    def operation(self, number: int, operation: Mapping[str, Any], container: Container) -> dict[str, Any]:
        """Does one operation and uploads its result; returns the result's record."""
        kind, output = str(operation["type"]), str(operation["output"])
        self._report(number, 0.0, kind)
        task = self._task(number, operation, container)
        if kind == "burn_subtitles":
            task = replace(task, subtitles=self._subtitles(number, operation))
        if kind == "loudnorm":
            task = replace(task, loudness=self._measured(number, task))
        task = self._made(number, task)
        path = self._folder / task.target
        if not path.is_file() or not path.stat().st_size:
            raise invalid(
                f"{task.where}: there is nothing in {task.sources[0].shown} at that time", "Take an earlier moment."
            )
        self._files[output] = path
        self._job.artifact(output, path, media_type=container.media_type)
        return self._record(task, output, path)

    # -- before

    def _task(self, number: int, operation: Mapping[str, Any], container: Container) -> Task:
        where = f"input.operations[{number}]"
        sources = [
            self._source(f"op{number}-in{index}", name, where) for index, name in enumerate(_media_names(operation))
        ]
        if operation["type"] == "mux_audio" and sources[0].media.still:
            sources[1] = self._of_known_length(sources[1], where)
        codecs = self._codecs(operation, container, where)
        return Task(operation, where, sources, f"op{number}-out", container, codecs)

    def _codecs(self, operation: Mapping[str, Any], container: Container, where: str) -> Codecs:
        if operation["type"] in _WITHOUT_CODECS:
            return Codecs(container.still or "gif", None)
        asks_gpu = operation.get("video_codec", "auto") == "auto" and "h264" in container.video[:1]
        gpu = asks_gpu and self._gpu and nvenc.works(self._program)
        return choose(operation, container, where, nvenc=gpu)

    def _source(self, path: str, name: str, where: str) -> Source:
        self._staged(path, name, where)
        if name not in self._media:
            self._media[name] = probe(self._program, self._folder, path, shown=name, check=self._job.check)
        return Source(path, self._media[name], name)

    def _of_known_length(self, source: Source, where: str) -> Source:
        """The sound with its length: a still is shown as long, and a live recording has none in its header."""
        if source.media.duration_s is not None or source.media.sound is None:
            return source
        reader = ProgressReader(None)
        ended = self._run(graphs.hearing(source), level="level+error", hear=reader.feed)
        if ended.code != 0 or reader.at_s <= 0:
            said = cause(ended.said.replace(source.path, source.shown)) or "nothing is in it"
            raise invalid(f"{where}.audio: the sound of {source.shown} cannot be read to its end: {said}")
        return replace(source, media=replace(source.media, duration_s=reader.at_s))

    def _staged(self, path: str, name: str, where: str) -> None:
        """Makes the file `name` of the job known as `path`, a name without an ending, so that its contents alone count."""
        if name not in self._files:
            raise invalid(f"{where}: {name} is neither one of the job's files nor made by an earlier operation")
        link = self._folder / path
        link.unlink(missing_ok=True)
        link.symlink_to(self._files[name].resolve())

    def _subtitles(self, number: int, operation: Mapping[str, Any]) -> str:
        """The subtitles as an ASS file of ours, which the filter then reads."""
        name, staged, target = str(operation["subtitles"]), f"op{number}-subtitles", f"op{number}-subtitles.ass"
        self._staged(staged, name, f"input.operations[{number}]")
        ended = self._run(graphs.subtitle_conversion(staged, target), level="level+error")
        if ended.code != 0:
            if "UTF-8" in ended.said:
                raise invalid(f"{name}: is not written in UTF-8", "Save the subtitles as UTF-8.")
            raise invalid(
                f"{name}: are no subtitles that can be read: {cause(ended.said.replace(staged, name))}",
                "Use SRT, WebVTT or ASS.",
            )
        return target

    def _measured(self, number: int, task: Task) -> Mapping[str, str]:
        """Loudnorm's first pass. Empty, with a warning, where there is nothing to measure."""
        (source,) = task.sources
        if source.media.sound is None:
            raise invalid(f"{task.where}.input: {source.shown} has no sound")
        ended = self._watched(number, task, graphs.measuring(task), level="info", step=(0, 2))
        if ended.code != 0:
            raise self._failure(ended, task)
        found = measured(ended.said)
        if not found:
            self._warn(
                f"{source.shown}: its sound is too quiet or too short to be measured; its loudness is left as it is"
            )
        return found

    # -- the run itself

    def _made(self, number: int, task: Task) -> Task:
        """Runs ffmpeg; where the GPU's encoder fails and the choice was ours, once more on the CPU. Returns what was run."""
        task = replace(task, tags=self._tags(task))
        step = (1, 2) if task.kind == "loudnorm" else (0, 1)
        ended = self._watched(number, task, graphs.arguments(task), level="level+warning", step=step)
        if ended.code != 0 and task.codecs.falls_back:
            self._gpu = False
            self._warn(f"the GPU's encoder failed, so the CPU encodes: {cause(ended.said)}"[:500])
            codecs = choose(task.operation, task.container, task.where, nvenc=False)
            task = replace(task, codecs=codecs)
            task = replace(task, tags=self._tags(task))
            ended = self._watched(number, task, graphs.arguments(task), level="level+warning", step=step)
        if ended.code != 0:
            raise self._failure(ended, task)
        self._look_at(_renamed(ended.said, task), task)
        return task

    def _failure(self, ended: Ended, task: Task) -> JobFailed:
        said = _renamed(ended.said, task)
        for line in said.splitlines()[-_LOGGED_LINES:]:
            if line.strip():
                self._job.log(line.strip()[:_LONGEST_LINE])
        return failure(said, ended.code, f"{task.where} ({task.kind})")

    def _look_at(self, said: str, task: Task) -> None:
        """Warns of what ffmpeg complained about although it went on."""
        if "[error]" in said:
            self._warn(f"{task.where} ({task.kind}): ffmpeg met errors and went on: {cause(said)}"[:500])
        if task.subtitles and "fontselect: failed to find" in said:
            self._warn(
                "this worker has no font for the subtitles, so letters are missing: apt-get install fonts-dejavu"
            )

    def _watched(
        self, number: int, task: Task, arguments: Sequence[str], *, level: str, step: tuple[int, int]
    ) -> Ended:
        """Runs ffmpeg and reports its progress; `step` is which pass of how many this is."""
        reader = ProgressReader(graphs.expected_s(task))
        index, passes = step
        name = f"{task.kind}, pass {index + 1} of {passes}" if passes > 1 else task.kind

        def hear(data: bytes) -> None:
            if reader.feed(data):
                self._report(number, (index + reader.share) / passes, name)

        return self._run(arguments, level=level, hear=hear)

    def _run(self, arguments: Sequence[str], *, level: str, hear: Callable[[bytes], object] = lambda _: None) -> Ended:
        whole = [self._program.ffmpeg, *_GENERAL, "-loglevel", level, *arguments]
        return run(whole, self._folder, check=self._job.check, hear=hear)

    def _tags(self, task: Task) -> dict[str, str]:
        if task.kind in _WITHOUT_CODECS:
            return {}
        encoders = ", ".join(filter(None, (task.codecs.video, task.codecs.audio)))
        return {
            "title": Path(str(task.operation["output"])).stem,
            "comment": f"{self._software}, job {self._job.id}, {task.kind} with {encoders}",
        }

    # -- after

    def _record(self, task: Task, output: str, path: Path) -> dict[str, Any]:
        media = probe(self._program, self._folder, task.target, shown=output, check=self._job.check)
        self._media[output] = media
        encoder = task.codecs.video if media.picture is not None else task.codecs.audio
        record = dict(_facts(output, task, media, path.stat().st_size)) | {"encoder": encoder}
        self._job.log(", ".join(f"{name} {value}" for name, value in record.items()))
        return record

    def _report(self, number: int, share: float, name: str) -> None:
        self._done = max(self._done, round(number + share, 3))
        self._job.progress(self._done, self._total, f"step {number + 1}/{self._total}: {name}")

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


def _media_names(operation: Mapping[str, Any]) -> list[str]:
    """The names of the videos and sounds that an operation reads, in order."""
    if "inputs" in operation:
        return [str(name) for name in operation["inputs"]]
    return [str(operation[field]) for field in ("input", "audio") if field in operation]


def _renamed(said: str, task: Task) -> str:
    """ffmpeg's words with the job's names in place of ours."""
    for source in reversed(task.sources):  # op0-in10 before op0-in1
        said = said.replace(source.path, source.shown)
    return said.replace(task.target, str(task.operation["output"]))


def _facts(output: str, task: Task, media: Media, size_bytes: int) -> Iterator[tuple[str, Any]]:
    """A result's record; what a file has not is left out."""
    yield from (("file", output), ("type", task.kind), ("bytes", size_bytes))
    if media.duration_s is not None:
        yield "duration", round(media.duration_s, 3)
    if media.picture is not None:
        yield from (("video_codec", media.picture.codec), ("width", media.picture.width))
        yield "height", media.picture.height
        if media.picture.fps is not None and not media.still:
            yield "fps", media.picture.fps
    if media.sound is not None:
        yield from (("audio_codec", media.sound.codec), ("sample_rate", media.sound.sample_rate))
        yield "channels", media.sound.channels
