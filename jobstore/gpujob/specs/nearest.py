"""Did-you-mean: the nearest of the words that would have been right.

Invariant: a suggestion is always one of the words that are accepted at that place.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Refused(ValueError):
    """A value that cannot be accepted: `message` says why, `suggestion` what to write instead."""

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion

    def __str__(self) -> str:
        return f"{self.message}, {self.suggestion}" if self.suggestion else self.message


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` was most likely meant to be, None where none is near."""
    known = list(choices)
    by_case = {choice.lower(): choice for choice in known}
    lowered = word.lower()[:100]
    if lowered in by_case:
        return by_case[lowered]
    near = difflib.get_close_matches(lowered, by_case, n=1, cutoff=0.6)
    return by_case[near[0]] if near else _by_part(lowered, known)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`did you mean "..."?`, or nothing where no choice is near."""
    match = nearest(word, choices)
    return f'did you mean "{match}"?' if match is not None else ""


def _by_part(word: str, choices: list[str]) -> str | None:
    """`narrate` for `tts.narrate`, `bella` for `af_bella`: a whole part of a longer name."""
    for choice in choices:
        if word in choice.lower().replace("_", ".").split("."):
            return choice
    return None
