"""The `chat.complete` executor: a language model in an Ollama daemon.

Invariant: importing this module costs nothing; the `ollama` package comes with `load`. A job makes the daemon fetch
what this worker's settings allow, and nothing else.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gpujob import settings
from gpujob.clock import SYSTEM
from gpujob.errors import Configuration, JobFailed
from gpujob_worker.executor import Device, Executor, JobContext, Needs, Outcome, Readiness, Report

if TYPE_CHECKING:
    from gpujob_worker.chat.client import Client
    from gpujob_worker.chat.daemon import Daemon
    from gpujob_worker.chat.fetching import Rules

log = logging.getLogger(__name__)

UNLOAD_S = 3.0


class ChatExecutor(Executor):
    """Answers. `host` is where the daemon is (OLLAMA_HOST by default), `program` the `ollama` to start where none is.

    `rules` say which models a job may make the daemon fetch; the settings chat_preload and allow_models by default.
    """

    kinds: ClassVar[tuple[str, ...]] = ("chat.complete",)
    needs: ClassVar[Needs] = Needs(memory=4 * 2**30, gpu_memory=6 * 2**30)  # of eight billion weights in four bits

    def __init__(self, *, host: str | None = None, program: Path | None = None, rules: Rules | None = None) -> None:
        self._host = host
        self._program = program
        self._given_rules = rules
        self._own: settings.Settings | None = None
        self._daemon: Daemon | None = None
        self._brought: set[str] = set()  # the models that are in its memory because of us, by normal name

    def configure(self, own: settings.Settings) -> None:
        """Takes the rules of the worker's settings, where none were given."""
        self._own = own

    def readiness(self) -> Readiness:
        """Ready where the `ollama` package is installed, and a daemon answers or can be started."""
        from gpujob_worker.chat import addresses, daemon

        if importlib.util.find_spec("ollama") is None:
            return Readiness(False, "ollama not installed", "pip install 'gpujob[chat]'")
        try:
            url = self._url()
        except Configuration as error:
            return Readiness(False, error.message, error.hint or "")
        if daemon.version_at(url) is not None:
            return Readiness(True)
        if addresses.is_here(url) and self._own_program() is not None:
            return Readiness(True, "an Ollama daemon will be started")
        return Readiness(False, f"no Ollama daemon answers at {url}, and none can be started", daemon.INSTALL_HINT)

    def device(self) -> Device:
        """Where a model that is loaded computes, or else the smallest one here; nameless where there is none to try."""
        from gpujob_worker.speech.devices import gpu_present

        if not gpu_present():
            return Device("cpu")
        try:
            return self._tried()
        except (JobFailed, Configuration) as error:
            return Device(warning=f"cannot tell where chat would run: {error.message}")

    def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
        """Brings the wanted model into the daemon's memory, fetching it first if that is allowed.

        With an empty `wanted` those of the setting chat_preload; one that fails there is told in the log.
        Raises JobFailed(model_not_found, out_of_memory, engine).
        """
        from gpujob_worker.chat import names

        rules = self._rules()
        if not wanted and not rules.preload:
            return ()
        client = self._client(lambda: report(0, 0, "starting Ollama"))
        models = (str(wanted["model"]),) if wanted else rules.preload
        self._brought |= set(map(names.normal, models)) - set(client.loaded(lambda: report(0, 0, "")))
        if wanted:
            _make_ready(client, wanted, rules, report)
        else:
            _preload(client, rules, report)
        return tuple(sorted(client.loaded(lambda: report(0, 0, ""))))

    def run(self, job: JobContext) -> Outcome:
        """Answers the job's messages."""
        from gpujob_worker.chat import answering, names, placing

        self.load(job.input, lambda done, total, message: job.check())
        client = self._client(job.check)
        assert self._daemon is not None
        name = names.normal(str(job.input["model"]))
        model = client.loaded(job.check).get(name) or client.models(job.check)[name]
        device, warning = placing.device_of(model)
        speaker = answering.Speaker(self._daemon.version, model, device, (warning,) if warning else ())
        return answering.answered(job, client, speaker)

    def close(self) -> None:
        """Stops the daemon if it was started here; one that was found loses the models that were loaded for us."""
        if self._daemon is None:
            return
        if self._brought and not self._daemon.is_ours:
            self._unload(self._daemon.url)
        self._daemon.stop()
        self._daemon = None
        self._brought.clear()

    def _client(self, check: Callable[[], None]) -> Client:
        """A daemon that answers, found or started. Raises JobFailed(engine) where there is none."""
        try:
            from gpujob_worker.chat import client, daemon
        except ImportError as error:
            raise JobFailed(f"{error.name} is not installed", hint="pip install 'gpujob[chat]'") from error

        if self._daemon is None or not self._daemon.answers():
            self._brought.clear()  # they went with it
            self.close()
            self._daemon = daemon.connect(self._url(), self._own_program(), check)
        return client.Client(self._daemon.url, where=self._daemon.where)

    def _tried(self) -> Device:
        from gpujob_worker.chat import names, placing

        client = self._client(_go_on)
        before = set(client.loaded(_go_on))
        model = placing.try_one(client, _go_on)
        if model is None:
            return Device()
        self._brought |= {names.normal(model.name)} - before
        return Device(*placing.device_of(model))

    def _unload(self, url: str) -> None:
        """Has the models that were loaded for us leave the memory of a daemon that was found; a try, and no more."""
        from gpujob_worker.chat import client, fetching

        until_s = SYSTEM.elapsed() + UNLOAD_S

        def in_time() -> None:
            if SYSTEM.elapsed() > until_s:
                raise JobFailed(f"it took longer than {UNLOAD_S:.0f} s")

        try:
            fetching.unload(client.Client(url), self._brought, in_time)
        except JobFailed as error:
            log.warning("the daemon at %s keeps what was loaded for this worker: %s", url, error.message)

    def _url(self) -> str:
        from gpujob_worker.chat.addresses import url_of

        return url_of(settings.ollama_host() if self._host is None else self._host)

    def _own_program(self) -> Path | None:
        from gpujob_worker.chat.daemon import find_program

        return self._program or find_program()

    def _rules(self) -> Rules:
        from gpujob_worker.chat.fetching import Rules

        if self._given_rules is not None:
            return self._given_rules
        own = self._own or settings.load().settings
        return Rules(own.chat_preload, own.allow_models)


def _make_ready(client: Client, wanted: Mapping[str, Any], rules: Rules, report: Report) -> None:
    from gpujob_worker.chat import fetching, request

    fetching.make_ready(client, str(wanted["model"]), request.options_of(wanted), rules, report)


def _preload(client: Client, rules: Rules, report: Report) -> None:
    for model in rules.preload:
        try:
            _make_ready(client, {"model": model}, rules, report)
        except JobFailed as error:
            log.warning("%s is not preloaded: %s", model, error.message)


def _go_on() -> None:
    """The check of something that nobody can stop."""
