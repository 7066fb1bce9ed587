"""One line of the log for each object that is no use: said once, not at every look, and not without end.

Invariant: however many bad objects a bucket holds, and however often they are met, `LINES` lines and one tell of them.
"""

from __future__ import annotations

import logging

log = logging.getLogger("gpujob")

LINES = 100


class Skips:
    """What one party has passed over. Safe to use from several threads: the worst is a line said twice."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def note(self, problem: object) -> None:
        """Says that an object is skipped, and why; `problem` begins with its key."""
        text = str(problem)
        if text in self._said or len(self._said) > LINES:
            return
        self._said.add(text)
        if len(self._said) > LINES:
            log.warning("more objects are skipped; `gpujob fsck` lists them all")
        else:
            log.warning("skipped %s", text)
