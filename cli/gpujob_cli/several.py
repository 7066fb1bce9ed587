"""Doing the same to several jobs: one that fails does not keep the others from their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gpujob.errors import GpujobError
from gpujob_cli.errors import report, worst
from gpujob_cli.session import Session

Act = Callable[[str], dict[str, Any]]


def for_each(session: Session, texts: Iterable[str], act: Act) -> int:
    """Calls `act` with the id of each; under --json its answers become one array. Returns the worst exit code."""
    session.store  # noqa: B018 - a store that does not open is said once
    codes, answers = [0], []
    for text in dict.fromkeys(texts):
        try:
            answers.append(act(session.job_id(text)))
        except GpujobError as error:
            session.out.close()
            codes.append(report(error, json=session.out.json))
    if session.out.json:
        session.out.answer_json(answers)
    return worst(codes)
