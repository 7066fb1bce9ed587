"""Doing the same to several jobs: one that fails does not keep the others from their turn.

Invariant: which jobs are meant is settled before anything is done to one, since doing it may change what a text means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gpujob.errors import GpujobError
from gpujob_cli.errors import worst
from gpujob_cli.session import Session

Act = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class Meant:
    """The jobs that some texts mean, each once, and the exit codes of the texts that mean none."""

    ids: tuple[str, ...]
    codes: tuple[int, ...] = ()

    @property
    def several(self) -> bool:
        """Whether more than one job was asked for, be it there or not."""
        return len(self.ids) + len(self.codes) > 1


def meant_by(session: Session, texts: Iterable[str]) -> Meant:
    """Finds the jobs; a text that means none is an error that has been said."""
    session.store  # noqa: B018 - a store that does not open is said once
    ids: dict[str, None] = {}
    codes = []
    for text in dict.fromkeys(texts):
        try:
            ids[session.job_id(text)] = None
        except GpujobError as error:
            codes.append(session.tell(error))
    return Meant(tuple(ids), tuple(codes))


def for_each(session: Session, jobs: Meant, act: Act) -> int:
    """Calls `act` with each id; under --json its answers become one array. Returns the worst exit code."""
    codes, answers = [0, *jobs.codes], []
    for job_id in jobs.ids:
        try:
            answers.append(act(job_id))
        except GpujobError as error:
            codes.append(session.tell(error))
    if session.out.json:
        session.out.answer_json(answers)
    return worst(codes)
