"""One answer, from a job's input to its outcome; the text so far goes out with the progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpujob.clock import SYSTEM
from gpujob.errors import JobFailed
from gpujob_worker.executor import Engine, JobContext, Outcome

from .client import Client, Model
from .recording import Answer, facts_of, output_of
from .request import messages_of, most_tokens, request_of
from .transcript import transcript

TELL_EVERY_S = 0.25
PARTIAL_CHARACTERS = 8000  # of the text so far that goes out: its end
ARTIFACT = "transcript.md"


@dataclass(frozen=True)
class Speaker:
    """Who answers: the daemon's version, the model, where it computes, and what is wrong with that."""

    version: str
    model: Model
    device: str
    warnings: Sequence[str] = ()


def answered(job: JobContext, client: Client, speaker: Speaker) -> Outcome:
    """Has the model answer the job's messages, keeps the transcript, and returns what the result records."""
    messages = messages_of(job.input)
    answer = _heard(job, client, request_of(job.input, messages, job.files))
    output, warnings = output_of(answer, speaker.model, job.input.get("format"))
    facts = facts_of(output, speaker.version, speaker.device)
    page = transcript(speaker.model.name, messages, answer.content, thinking=answer.thinking, facts=facts)
    path = job.workdir / ARTIFACT
    path.write_text(page, encoding="utf-8")
    job.artifact(ARTIFACT, path, media_type="text/markdown")
    engine = Engine("ollama", speaker.version, speaker.model.name, speaker.model.digest, speaker.device)
    return Outcome(output, engine, [*speaker.warnings, *warnings])


def _heard(job: JobContext, client: Client, request: Mapping[str, Any]) -> Answer:
    """The whole answer. Raises JobFailed where the stream ends without the daemon's closing word."""
    answer = Answer()
    most = most_tokens(job.input)
    told_s = SYSTEM.elapsed() - TELL_EVERY_S
    job.progress(0, 0, "reading the prompt")
    for part in client.chat(str(job.input["model"]), request, job.check):
        answer.add(part)
        if SYSTEM.elapsed() - told_s >= TELL_EVERY_S or part.done:
            told_s = SYSTEM.elapsed()
            _tell(job, answer, most)
    if answer.last is None:
        raise JobFailed("the daemon ended the answer before it was finished", hint=f"More may stand in {client.where}.")
    return answer


def _tell(job: JobContext, answer: Answer, most: int) -> None:
    text = answer.content or answer.thinking
    message = "answering" if answer.content else "thinking"
    job.progress(min(answer.pieces, most), most, message, partial=text[-PARTIAL_CHARACTERS:])
