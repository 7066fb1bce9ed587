"""What a command works with: its output, the settings, the store, and the ids that people type.

Nothing is opened before it is used: a command that needs no store reads no bucket.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gpujob import settings as settings_
from gpujob.errors import Configuration, Conflict, GpujobError, NotFound
from gpujob.log_lines import Telling
from gpujob.redaction import without_passwords
from gpujob_cli.output import Output

if TYPE_CHECKING:
    from gpujob.signing.identity import Identity
    from gpujob.store import JobStore
    from gpujob_cli.errors import Report

LAST = "@last"
STORELESS = ("init", "keys", "schema", "validate")

_COMMAND = re.compile(r"(?<=`)gpujob [a-z][^`\n]*(?=`)")


class Session:
    """One run of one command."""

    def __init__(
        self, *, store: str | None = None, profile: str | None = None, json: bool = False, quiet: bool = False
    ) -> None:
        self.out = Output(json=json, quiet=quiet, pointed=self.pointed)
        self.profile = profile
        self.store_flag = store
        self._profile_may_lack = False
        self._telling = Telling(self.out.warn)

    def __enter__(self) -> Self:
        self._telling.open()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._lead_here(error)
        self._telling.close()
        self.out.close()

    @cached_property
    def loaded(self) -> settings_.Loaded:
        """The settings with where each came from; its notices have been said."""
        loaded = settings_.load(
            flags={"store": self.store_flag}, profile=self.profile, profile_may_lack=self._profile_may_lack
        )
        for notice in loaded.notices:
            self.out.warn(notice)
        return loaded

    @property
    def settings(self) -> settings_.Settings:
        """The settings."""
        return self.loaded.settings

    @property
    def url(self) -> str:
        """The store's URL as it was set."""
        return self.settings.store

    @property
    def is_local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return self.url.startswith("file:")

    @property
    def submitted_by(self) -> str:
        """The name that this user's jobs carry."""
        return self.settings.submitted_by or settings_.this_user()

    @cached_property
    def identity(self) -> Identity:
        """Who this user is by the settings, and whose signatures count. Raises Configuration."""
        from gpujob.signing.configured import identity_of

        return identity_of(self.settings)

    @cached_property
    def store(self) -> JobStore:
        """The queue, opened."""
        from gpujob.store import open_store

        if self.url.startswith("memory:"):
            raise Configuration(
                "a queue in memory would be gone with this command", hint="Name a folder or a bucket with --store."
            )
        try:
            return open_store(self.url, identity=self.identity)
        except GpujobError as error:
            if self.url not in error.message:
                error.message = f"{without_passwords(self.url)}: {error.message}"
            raise

    def use(self, url: str, *, profile_may_lack: bool = False) -> None:
        """Works on another store from here on. The profile that was chosen may lack for who is about to write it."""
        self.store_flag = url
        self._profile_may_lack = profile_may_lack
        for name in ("loaded", "identity", "store"):
            self.__dict__.pop(name, None)

    def command(self, words: str) -> str:
        """A command line of ours to show, with the flags that lead to this very store."""
        flags = f" --store {shlex.quote(self.store_flag)}" if self.store_flag else ""
        flags += f" --profile {shlex.quote(self.profile)}" if self.profile else ""
        return f"gpujob {words}{flags}"

    def pointed(self, text: str) -> str:
        """The text with every command of ours in it leading to this very store, where flags do that."""
        return _COMMAND.sub(lambda found: self._with_flags(found[0]), text)

    def tell(self, error: BaseException | Report) -> int:
        """Tells of an error, as `errors.report` does, and what to do next on this very store; returns the exit code."""
        from gpujob_cli.errors import print_report, report

        self.out.close()
        if isinstance(error, BaseException):
            self._lead_here(error)
            return report(error, json=self.out.json)
        print_report(replace(error, hint=self.pointed(error.hint)), json=self.out.json)
        return error.exit_code

    def _lead_here(self, error: BaseException) -> None:
        from gpujob_cli.errors import hint_of

        if isinstance(error, GpujobError):
            error.hint = self.pointed(hint_of(error))

    def _with_flags(self, command: str) -> str:
        words = command.split()[1:]
        if words[0] in STORELESS or {"--store", "--profile"} & set(words):
            return command
        return without_passwords(self.command(" ".join(words)))

    # -- ids

    def job_id(self, text: str) -> str:
        """The id that is meant by an id, a unique prefix of one, an idempotency key or `@last`."""
        if text != LAST:
            return self.store.resolve(text)
        try:
            return self._last_file.read_text(encoding="ascii").strip()
        except OSError:
            raise NotFound(
                f"no job was submitted from here to {self.url} yet, so there is no {LAST}",
                hint="`gpujob ls` lists what there is.",
            ) from None

    def job_ids(self, texts: Iterable[str]) -> list[str]:
        """The ids that are meant, each once, in order."""
        return list(dict.fromkeys(self.job_id(text) for text in texts))

    def remember(self, job_id: str) -> None:
        """Makes `@last` mean this job, on this machine and store."""
        path = self._last_file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(job_id + "\n", encoding="ascii")
        except OSError as error:
            self.out.say(f"({LAST} will not mean this job: {path}: {error.strerror})", style="dim")

    @property
    def _last_file(self) -> Path:
        return settings_.state_dir() / "last" / hashlib.sha256(self.url.encode()).hexdigest()[:16]

    # -- limits

    def require_room(self, jobs: int) -> None:
        """Refuses to submit above GPUJOB_MAX_PENDING. Raises Conflict."""
        most = self.settings.max_pending
        if most is None:
            return
        from gpujob_cli.counting import pending_jobs

        waiting = pending_jobs(self.store, enough=most + 1)
        if waiting + jobs > most:
            raise Conflict(
                f"{waiting} jobs wait already, and GPUJOB_MAX_PENDING allows {most}",
                hint="Wait until some are done, or raise the limit.",
            )
