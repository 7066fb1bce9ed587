"""Models of the hub: finds one in the hub's own cache folder, or fetches it there, with progress.

Invariant: no token but the one that is passed in is ever sent, whatever this machine's environment or log-in holds;
and a fetch that has to stop, stops at its next chunk. What had come stays, and the next fetch goes on from there.
"""

from __future__ import annotations

import importlib
import io
import logging
from pathlib import Path
from typing import Any

from gpujob.clock import SYSTEM
from gpujob.errors import JobFailed
from gpujob_worker.executor import Report

from . import snapshots
from .choosing import Choice

log = logging.getLogger(__name__)

_POLL_S = 0.5
_TOKEN_HINT = "Submit it with `secrets: [HF_TOKEN]`; the worker hands that over where GPUJOB_ALLOW_SECRETS names it."


class NeedsToken(JobFailed):
    """The hub does not give this model to somebody it does not know."""


def cached(choice: Choice) -> Path | None:
    """The folder of the model in the hub's cache; None where it is not, or not all, there."""
    hub = importlib.import_module("huggingface_hub")
    index = hub.try_to_load_from_cache(choice.name, snapshots.INDEX, revision=choice.revision)
    if not isinstance(index, str):
        return None
    folder = Path(index).parent
    return None if snapshots.missing_parts(folder) else folder


def fetch(choice: Choice, report: Report, *, token: str | None, half: bool) -> Path:
    """The folder of the model, with what is missing fetched into the hub's cache.

    Raises NeedsToken for one that is private or gated, JobFailed(model_not_found) for one that there is not or that
    cannot be reached; what `report` raises passes.
    """
    try:
        return _Fetch(choice, token=token, half=half).run(report)
    except (OSError, ValueError) as error:  # the hub's errors are among these
        raise _failure(choice, error, token=token) from error


class _Stopped(Exception):
    """Ends the hub's threads."""


class _Fetch:
    """One fetch in a thread of its own, so that the job is asked whether it should go on while the hub takes its time."""

    def __init__(self, choice: Choice, *, token: str | None, half: bool) -> None:
        self._choice = choice
        self._token = token or False
        self._half = half
        self._total_bytes = 0
        self._bars: list[Any] = []
        self._stopped = SYSTEM.event()
        self._ended = SYSTEM.event()
        self._folder: Path | None = None
        self._error: Exception | None = None

    def run(self, report: Report) -> Path:
        SYSTEM.spawn(f"fetch {self._choice.name}", self._fetch)
        try:
            while not self._ended.wait(_POLL_S):
                total = self._total_bytes
                size = f" ({total / 1e9:.1f} GB)" if total else ""
                report(min(self._done_bytes(), total), max(1, total), f"fetching {self._choice.name}{size}")
        finally:
            self._stopped.set()
        if self._error is not None:
            raise self._error
        assert self._folder is not None
        return self._folder

    def _fetch(self) -> None:
        try:
            self._folder = self._fetched(importlib.import_module("huggingface_hub"))
        except Exception as error:  # noqa: BLE001 - raised again by `run`
            self._error = error
        finally:
            self._ended.set()

    def _fetched(self, hub: Any) -> Path:
        name, token = self._choice.name, self._token
        # The index first: with it the cache learns which commit the revision means today; all else is of that commit.
        index = Path(hub.hf_hub_download(name, snapshots.INDEX, revision=self._choice.revision, token=token))
        commit = index.parent.name
        info = hub.HfApi(token=token).model_info(name, revision=commit, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings}
        files = snapshots.files_to_fetch(snapshots.read_json(index), sizes, half=self._half)
        self._total_bytes = sum(sizes.get(file, 0) for file in files)
        log.info("fetching %s: %d files, %d MB", name, len(files), self._total_bytes // 10**6)
        arguments = {"revision": commit, "allow_patterns": files, "token": token, "tqdm_class": self._bar_class()}
        return Path(hub.snapshot_download(name, **arguments))

    def _done_bytes(self) -> int:
        return max((int(bar.n) for bar in list(self._bars) if getattr(bar, "unit", "") == "B"), default=0)

    def _bar_class(self) -> type:
        """A progress bar that draws nothing, and raises as soon as the fetch has to stop."""
        base: Any = importlib.import_module("tqdm").tqdm
        fetch = self

        class Bar(base):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                options.pop("name", None)
                super().__init__(*args, **{**options, "file": io.StringIO(), "disable": False})
                fetch._bars.append(self)

            def update(self, n: float | None = 1) -> bool | None:
                if fetch._stopped.is_set():
                    raise _Stopped
                answer: bool | None = super().update(n)
                return answer

        return Bar


def _failure(choice: Choice, error: Exception, *, token: str | None) -> JobFailed:
    """What a job hears of the hub's error."""
    errors: Any = importlib.import_module("huggingface_hub.errors")
    unknown = isinstance(error, errors.RepositoryNotFoundError)  # what the hub also says of what is private
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError) or status in (401, 403) or (unknown and token is None):
        whom = "with this HF_TOKEN" if token else "to everybody"
        return NeedsToken(
            f"the hub has no model {choice.name}, or does not give it {whom}",
            type="model_not_found",
            retryable=False,
            hint=f"Is the name right? Accept the model's terms on the hub, if it has any. {_TOKEN_HINT}",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        text = f"{choice.name} has no revision {choice.revision}"
        return JobFailed(text, type="model_not_found", retryable=False, hint="Leave `revision` out, or correct it.")
    if unknown or isinstance(error, errors.RemoteEntryNotFoundError):
        text = f"the hub has no model of diffusers called {choice.name}"
        return JobFailed(text, type="model_not_found", retryable=False, hint="Correct its name.")
    short = str(error.__cause__ or error).strip().split("\n")[0][:500]
    return JobFailed(
        f"the model {choice.name} cannot be fetched: {short}",
        type="model_not_found",
        hint="Is the hub reachable from the worker, and is its disk large enough?",
    )
