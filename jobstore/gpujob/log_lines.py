"""The log as people read it: one line a record, whatever somebody wrote into a name or a message.

Invariant: nothing that came from a bucket reaches a terminal through the log but as plain text, and no secret that was
named to `hide` reaches it at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import TracebackType

from gpujob.plain_text import clean
from gpujob.redaction import Redactor, without_passwords


class CleanFormatter(logging.Formatter):
    """Formats a record with its message on one line, without control characters and without secrets."""

    redactor = Redactor({})

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the library's
        """As logging.Formatter.formatMessage."""
        record.message = clean(self._without_secrets(record.message))
        return super().formatMessage(record)

    def formatException(  # noqa: N802 - the name is the library's
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """As logging.Formatter.formatException."""
        return clean(self._without_secrets(super().formatException(ei)), lines=True)

    def _without_secrets(self, text: str) -> str:
        return without_passwords(self.redactor.text(text))


class Telling(logging.Handler):
    """Hands each warning of the library to `tell` for as long as it is open."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell
        self._logger = logging.getLogger("gpujob")

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler.emit."""
        self._tell(record.getMessage())

    def open(self) -> None:
        """From here on."""
        self._logger.addHandler(self)

    def close(self) -> None:
        """No longer."""
        self._logger.removeHandler(self)
        super().close()


def to_stderr(level: int, form: str) -> None:
    """Sends every record of at least `level` to standard error, as lines of `form` with the time of day."""
    handler = logging.StreamHandler()
    handler.setFormatter(CleanFormatter(form, datefmt="%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler])


def hide(values: Mapping[str, str]) -> None:
    """From here on no line of `to_stderr` holds one of these values; `values` are secrets by name."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, CleanFormatter):
            handler.formatter.redactor = Redactor(values)
