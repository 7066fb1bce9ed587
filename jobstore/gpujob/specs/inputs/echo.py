"""The input of `echo`: what comes back, how long it takes, which files it makes and how it fails. No model needed.

Invariant: an artifact's bytes follow from its name and size alone, so their checksums are known beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, JsonValue

from gpujob.specs.fields import Duration, FileName, Input, Size, Strict, Text, clashes
from gpujob.specs.problems import Finding
from gpujob.specs.raw import rows


class EchoArtifact(Strict):
    """A file to make."""

    name: FileName = Field(description="The file's name among the job's artifacts.")
    bytes: Annotated[Size, Field(le=2**40)] = Field(description="Its size.")


class Echo(Input):
    """A job without a model, for trying a queue out."""

    message: JsonValue = Field(default=None, description="Any JSON; comes back as `output.message`.")
    sleep: Duration = Field(default=0.0, description="How long to pretend to work, with progress in tenths.")
    artifacts: Annotated[tuple[EchoArtifact, ...], Field(strict=False, max_length=1000)] = Field(
        default=(), description="Files to make."
    )
    fail: Text | None = Field(default=None, description="The attempt fails with this text.")
    fail_attempts: int | None = Field(
        default=None, ge=1, description="Only the first so many attempts fail; without it all do."
    )

    @classmethod
    def check(cls, given: Mapping[str, Any], files: frozenset[str]) -> Iterator[Finding]:
        """Artifacts' names are distinct; `fail_attempts` needs `fail`."""
        names = [
            ((*path, "name"), row["name"]) for path, row in rows(given, "artifacts") if isinstance(row.get("name"), str)
        ]
        yield from clashes(names)
        if "fail_attempts" in given and "fail" not in given:
            yield Finding(("fail_attempts",), "has no meaning without fail", 'add fail: "some text"')
