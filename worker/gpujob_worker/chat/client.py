"""Calls to one daemon. Each stops as soon as the job has to, and fails with the type that a result carries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import ollama

from .addresses import is_here
from .failures import TROUBLE, failure, not_fetched
from .names import normal, registry_is_here
from .waiting import Check, each, once

CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Model:
    """A model that the daemon has. `gpu_bytes` is what of it lies in the GPU's memory, for one that is loaded."""

    name: str
    digest: str
    size_bytes: int = 0
    gpu_bytes: int = 0


class Client:
    """The daemon at a URL. `where` says for an error's hint where its own words stand."""

    def __init__(self, url: str, *, where: str = "") -> None:
        self.url = url
        self.where = where or f"the log of the daemon at {url}"

    def models(self, check: Check) -> dict[str, Model]:
        """What the daemon has on its disk, by normal name."""
        with self._told(""):
            listed = once(self._call(lambda daemon: daemon.list()), check)
        found = [Model(str(one.model), str(one.digest), int(one.size or 0)) for one in listed.models]
        return {normal(one.name): one for one in found}

    def loaded(self, check: Check) -> dict[str, Model]:
        """What the daemon has in memory, by normal name."""
        with self._told(""):
            listed = once(self._call(lambda daemon: daemon.ps()), check)
        found = [
            Model(str(one.model), str(one.digest), int(one.size or 0), int(one.size_vram or 0)) for one in listed.models
        ]
        return {normal(one.name): one for one in found}

    def load(self, model: str, options: Mapping[str, Any], check: Check) -> None:
        """Brings a model into memory with the options of a request, and returns when it is there."""
        with self._told(model):
            once(self._call(lambda daemon: daemon.chat(model=model, messages=[], options=dict(options))), check)

    def unload(self, model: str, check: Check) -> None:
        """Has a model leave the memory, as soon as nobody is waiting for its answer."""
        with self._told(model):
            once(self._call(lambda daemon: daemon.chat(model=model, messages=[], keep_alive=0)), check)

    def pull(self, model: str, check: Check) -> Iterator[Any]:
        """Fetches a model; gives the daemon's reports (status, digest, completed, total) as they come."""
        with self._told(model, fetching=True):
            insecure = registry_is_here(model)
            stream = self._stream(lambda daemon: daemon.pull(model, insecure=insecure, stream=True))
            yield from each(stream, check)

    def chat(self, model: str, request: Mapping[str, Any], check: Check) -> Iterator[Any]:
        """An answer, piece by piece. Raises JobFailed where it breaks off."""
        with self._told(model):
            stream = self._stream(lambda daemon: daemon.chat(model=model, stream=True, **request))
            yield from each(stream, check)

    async def _call(self, call: Callable[[ollama.AsyncClient], Any]) -> Any:
        async with self._daemon() as daemon:
            return await call(daemon)

    async def _stream(self, call: Callable[[ollama.AsyncClient], Any]) -> AsyncGenerator[Any, None]:
        async with self._daemon() as daemon, aclosing(await call(daemon)) as parts:
            async for part in parts:
                yield part

    def _daemon(self) -> ollama.AsyncClient:
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)
        encrypted = self.url.startswith("https:")  # reading the certificates takes longer than a call
        return ollama.AsyncClient(self.url, timeout=timeout, trust_env=not is_here(self.url), verify=encrypted)

    @contextmanager
    def _told(self, model: str, *, fetching: bool = False) -> Iterator[None]:
        try:
            yield
        except TROUBLE as error:
            explain = not_fetched if fetching else failure
            raise explain(error, model=model, where=self.where) from error
