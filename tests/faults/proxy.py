"""A proxy between S3 clients and a real server, which loses, delays, cuts, alters and refuses what passes, by seed.

Invariant: what it does to a request is one fault or none, and `faults` counts it by its kind. A request that it answers
with 503 or 429 was never forwarded, as those answers promise; every other fault leaves its client in doubt.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from types import TracebackType
from typing import Self

from tests.faults import wire
from tests.faults.draws import Chances, Draws, Fault, altered
from tests.faults.wire import LONGEST_HEAD, Message

LOOPBACK = "127.0.0.1"
REFUSALS: dict[Fault, Message] = {
    "500": wire.answer(500, "Internal Server Error", "InternalError"),
    "500 after": wire.answer(500, "Internal Server Error", "InternalError"),
    "503": wire.answer(503, "Slow Down", "SlowDown"),
    "429": wire.answer(429, "Too Many Requests", "TooManyRequests"),
}


class _Over(Exception):
    """This client's connection ends here. `reset` is how: at once, or in an orderly way."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self.reset = reset


class FaultProxy:
    """Listens on loopback while its block runs. `late_s` has to be longer than its clients' time-outs."""

    def __init__(self, server_port: int, chances: Chances, seed: int, *, late_s: float = 2.5) -> None:
        self.faults: Counter[Fault] = Counter()
        self.requests = 0
        self.port = 0
        self._server_port = server_port
        self._draws = Draws(chances, seed)
        self._late_s = late_s
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._down: asyncio.Event
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    @property
    def endpoint(self) -> str:
        """Its URL, to be used in place of the server's."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(60)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._down.set)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        self._down = asyncio.Event()
        server = await asyncio.start_server(self._meet, LOOPBACK, 0, limit=LONGEST_HEAD)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        await self._down.wait()
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, with one of its own to the server."""
        link = _Link(self._server_port)
        try:
            while (request := await wire.read_request(reader, writer)) is not None:
                self.requests += 1
                fault = self._draws.next(request.method, len(request.body), listing=request.listing)
                await self._pass(request, fault, link, writer)
        except _Over as over:
            if over.reset:
                _reset(writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side has gone, or the proxy goes: the other side learns it by the end of its connection
        finally:
            writer.close()
            link.close()

    async def _pass(self, request: Message, fault: Fault, link: _Link, writer: asyncio.StreamWriter) -> None:
        self._count(fault)
        if fault == "request dropped":
            raise _Over
        if fault in ("500", "503", "429"):
            return await _refuse(fault, writer)
        if fault == "request late":
            await asyncio.sleep(self._late_s)
        if fault == "request altered":
            request = request.with_body(altered(request.body, self._draws.random))
        if fault == "request reset":
            whole = request.wire()
            await link.send(whole[: len(whole) - max(1, len(request.body) // 2)])
            link.close(reset=True)
            raise _Over(reset=True)
        found = await link.ask(request)
        if fault in ("answer dropped", "request late"):
            raise _Over
        if fault == "answer late":
            await asyncio.sleep(self._late_s)
            raise _Over
        if fault == "500 after":
            return await _refuse(fault, writer)
        await self._answer(found, fault, writer)
        return None

    async def _answer(self, found: Message, fault: Fault, writer: asyncio.StreamWriter) -> None:
        whole = found.wire()
        if fault == "answer reset":
            await _send(writer, whole[: len(whole) // 2])
            raise _Over(reset=True)
        if fault and fault.startswith("answer") and not found.body:
            raise _Over  # there is nothing to cut or to alter
        if fault == "answer truncated":
            await _send(writer, whole[: len(whole) - (len(found.body) + 1) // 2])
            raise _Over
        if fault == "answer altered":
            whole = found.with_body(altered(found.body, self._draws.random)).wire()
        await _send(writer, whole)
        if found.header(b"connection").lower() == b"close":
            raise _Over

    def _count(self, fault: Fault) -> None:
        if fault:
            self.faults[fault] += 1


class _Link:
    """The connection to the server that belongs to one client's connection; made when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Message) -> Message:
        """The server's answer."""
        reader = await self.send(request.wire())
        return await wire.read_answer(reader, request.method)

    async def send(self, data: bytes) -> asyncio.StreamReader:
        if self._streams is None:
            self._streams = await asyncio.open_connection(LOOPBACK, self._port, limit=LONGEST_HEAD)
        reader, writer = self._streams
        await _send(writer, data)
        return reader

    def close(self, *, reset: bool = False) -> None:
        if self._streams is not None:
            if reset:
                _reset(self._streams[1])
            self._streams[1].close()
            self._streams = None


async def _refuse(fault: Fault, writer: asyncio.StreamWriter) -> None:
    await _send(writer, REFUSALS[fault].wire())
    raise _Over


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection with a reset, which throws away what is on its way."""
    held: socket.socket = writer.get_extra_info("socket")
    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
