"""The child: builds one executor, keeps its models warm, and does what the worker orders, one order at a time.

`python -m gpujob_worker.children.host package.module:Class`. Standard output becomes standard error, so that a library
that prints does not garble the messages. When the worker is gone, so is this process with all that it started.
"""

from __future__ import annotations

import faulthandler
import importlib
import logging
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import asdict
from typing import Any, BinaryIO

from gpujob.clock import SYSTEM
from gpujob.errors import GpujobError, JobFailed, JobStopped
from gpujob.redaction import Redactor
from gpujob_worker.executor import Executor

from .output import write_mark
from .remote_job import Line, RemoteJob


class Host:
    """One executor and the line to its worker."""

    def __init__(self, executor: Executor, line: Line) -> None:
        self._executor = executor
        self._line = line

    def serve(self) -> None:
        """Obeys orders until the worker hangs up."""
        self._line.send({"op": "ready"})
        while (order := self._line.order()) is not None and order["op"] != "close":
            answer = self._answer(order)
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            write_mark(order["mark"])
            self._line.send(answer)
        self._executor.close()

    def _answer(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._obey(order)
        except JobStopped:
            return {"op": "stopped"}
        except JobFailed as error:
            return failed(error.message, type=error.type, hint=error.hint, retryable=error.retryable)
        except GpujobError as error:
            return failed(error.message, type="storage", hint=error.hint)
        except MemoryError:
            traceback.print_exc()
            return failed("the process ran out of memory", type="out_of_memory")
        except Exception as error:  # noqa: BLE001 - whatever a library raises is the attempt's error
            redact = Redactor(order.get("job", {}).get("secrets", {}))  # before anything is cut in two
            trace = redact.text(traceback.format_exc())
            sys.stderr.write(trace)
            return failed(redact.text(f"{type(error).__name__}: {error}")[:4000], traceback=trace[-8000:])

    def _obey(self, order: dict[str, Any]) -> dict[str, Any]:
        if order["op"] == "device":
            return {"op": "device", **asdict(self._executor.device())}
        if order["op"] == "load":
            return {"op": "loaded", "models": list(self._executor.load(order["wanted"], self._line.loading))}
        outcome = self._executor.run(RemoteJob(self._line, order["job"]))
        engine = asdict(outcome.engine) if outcome.engine else None
        return {"op": "done", "output": dict(outcome.output), "engine": engine, "warnings": outcome.warnings}


def failed(message: str, **more: Any) -> dict[str, Any]:
    """The answer of an order that failed; `more` are the other facts of a JobFailed."""
    return {"op": "failed", "message": message, "type": "engine", "hint": None, "retryable": True, **more}


def main() -> None:
    """The process's whole life."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides when a job stops
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    answers, orders = _own_pipes()
    line = Line(orders, answers, SYSTEM, hang_up=_end)
    module, _, name = sys.argv[1].partition(":")
    Host(getattr(importlib.import_module(module), name)(), line).serve()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the worker, kept for messages alone: 0 becomes empty, and 1 the log."""
    answers, orders = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return answers, orders


def _end() -> None:
    """The worker is gone. Ends this process and whatever it has started, which share its process group."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
