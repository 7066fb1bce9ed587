"""Counts the words of a text: all that a plug-in for gpujob has to be."""

from __future__ import annotations

from typing import ClassVar

from gpujob.errors import JobFailed
from gpujob.specs import Input
from gpujob_worker import Engine, Executor, JobContext, Outcome


class CountInput(Input):
    """The input of acme.count. Unknown fields are refused, with a guess at what was meant."""

    text: str


class WordCount(Executor):
    """Counts the words of a text, and keeps the list of them as a file."""

    kinds: ClassVar[tuple[str, ...]] = ("acme.count",)

    def run(self, job: JobContext) -> Outcome:
        """Writes a word a line; says at each how far it is."""
        words = str(job.input["text"]).split()
        if not words:
            raise JobFailed("there are no words", type="invalid_input", retryable=False)
        listed = job.workdir / "words.txt"
        with listed.open("w") as out:
            for number, word in enumerate(words, start=1):
                job.check()
                out.write(word + "\n")
                job.progress(number, len(words), word)
        job.artifact("words.txt", listed, media_type="text/plain")
        return Outcome({"words": len(words)}, Engine(name="word-count", version="1"))
