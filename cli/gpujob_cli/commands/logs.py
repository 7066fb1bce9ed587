"""`gpujob logs`: the log of a job's latest attempt, or of another, from its numbered chunks."""

from __future__ import annotations

from typing import Annotated

import typer

from gpujob import keys
from gpujob.errors import NotFound
from gpujob.protocol.context import Context
from gpujob.protocol.listing import every_entry
from gpujob.protocol.status import Status
from gpujob_cli.session import Session

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 5.0


def logs(
    session: Session,
    job: Annotated[str, typer.Argument(metavar="ID", help="An id, a unique prefix, an idempotency key or @last.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    attempt: Annotated[int | None, typer.Option(min=1, help="Another attempt than the latest.")] = None,
) -> None:
    """A job's log: that of its latest attempt, as far as it has been written.

    \b
    Example:
      gpujob logs -f @last
    """
    job_id = session.job_id(job)
    status = session.store.status(job_id)
    reader = _Reader(session, job_id)
    if attempt is not None:
        reader.open(_earlier(reader.ctx, status, attempt), attempt)
    elif follow:
        _follow(session, reader, status)
        return
    else:
        reader.open(*_latest(reader.ctx, status))
    if not reader.read() and not session.out.json:
        session.out.say(_nothing(status), style="dim")


class _Reader:
    """Prints the chunks of one attempt, each once."""

    def __init__(self, session: Session, job_id: str) -> None:
        self.ctx: Context = session.store.context
        self._out = session.out
        self._job_id = job_id
        self._prefix = ""
        self._attempt = 0
        self._after = ""

    def open(self, prefix: str, attempt: int) -> bool:
        """Turns to an attempt; True where it is another one than before."""
        if not prefix or prefix == self._prefix:
            return False
        other = bool(self._prefix)
        self._prefix, self._attempt, self._after = prefix, attempt, ""
        return other

    def read(self) -> int:
        """Prints what is new; returns how many chunks that was."""
        count = 0
        if not self._prefix:
            return 0
        for entry in every_entry(self.ctx, f"{self._prefix}log/", after=self._after):
            found = self.ctx.get(entry.key)
            self._after = entry.key
            if found is not None:
                self._print(found.body.decode("utf-8", "replace"))
                count += 1
        return count

    def _print(self, text: str) -> None:
        if self._out.json:
            self._out.answer_json({"id": self._job_id, "attempt": self._attempt, "text": text})
        else:
            self._out.raw(text)


def _follow(session: Session, reader: _Reader, status: Status) -> None:
    """Reads until the job has ended; a chunk that was there when it ended is still printed."""
    pause_s = FIRST_PAUSE_S
    while True:
        news = reader.read()
        prefix, attempt = _latest(reader.ctx, status)
        if reader.open(prefix, attempt):
            session.out.say(f"-- attempt {attempt} --", style="dim")
        news += reader.read()
        if status.ended:
            session.out.say(f"{status.id} {status.state}", style="dim")
            return
        pause_s = FIRST_PAUSE_S if news else min(LONGEST_PAUSE_S, pause_s * 1.3)
        session.store.runtime.sleep(pause_s)
        status = session.store.status(status.id)


def _latest(ctx: Context, status: Status) -> tuple[str, int]:
    """The prefix and number of the latest attempt; empty before the first.

    A job that somebody else than its attempt ended (a cancel, say) has its log under that attempt's prefix.
    """
    record = status.result or status.lease
    if record is None or not record.attempt:
        return "", 0
    if status.result is None or status.result.log_chunks:
        return keys.attempt_prefix(status.id, record.epoch, record.nonce), record.attempt
    entries = (keys.parse_artifact(entry.key) for entry in every_entry(ctx, keys.job_artifacts(status.id)))
    logs_ = [where for where in entries if where is not None and where.name.startswith("log/")]
    if not logs_:
        return "", 0
    last = max(logs_, key=lambda where: where.epoch)
    attempt = next((past.attempt for past in record.history if past.epoch == last.epoch), record.attempt)
    return keys.attempt_prefix(status.id, last.epoch, last.nonce), attempt


def _earlier(ctx: Context, status: Status, attempt: int) -> str:
    """The prefix of an attempt by its number: its epoch is in the job's history."""
    prefix, latest = _latest(ctx, status)
    record = status.result or status.lease
    if attempt == latest and prefix:
        return prefix
    epochs = [past.epoch for past in record.history if past.attempt == attempt] if record is not None else []
    for entry in every_entry(ctx, keys.job_artifacts(status.id)):
        where = keys.parse_artifact(entry.key)
        if where is not None and where.epoch in epochs:
            return keys.attempt_prefix(where.id, where.epoch, where.nonce)
    raise NotFound(
        f"job {status.id} has no log of attempt {attempt}", hint=f"`gpujob show {status.id}` lists its attempts."
    )


def _nothing(status: Status) -> str:
    if status.ended:
        return f"{status.id} {status.state} and wrote no log"
    return f"{status.id} is {status.state} and has written no log yet; -f waits for it"
