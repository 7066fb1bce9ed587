"""A disk that fails, or a process that dies, at a chosen system call of the folder bucket."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpujob.buckets.folder.disk import Disk

CALLS = [name for name in vars(Disk) if not name.startswith("_")]


class Killed(BaseException):
    """The process is gone: from here on it makes no system call and cleans nothing up."""


@dataclass(frozen=True)
class Fault:
    """What happens at call number `index`: a death (`error` is None) or an error, before, in the middle of or after it.

    In the middle means: a write puts half its bytes down first. Other calls have no middle.
    """

    index: int
    when: str
    error: int | None

    def __str__(self) -> str:
        name = "kill" if self.error is None else errno.errorcode[self.error]
        return f"{name} {self.when} call {self.index}"


class FragileDisk(Disk):
    """The real disk, with one fault at most; `calls` are the names of the calls so far."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.calls: list[str] = []
        self._fault = fault
        self._open: set[int] = set()
        self._dead = False

    def pass_on(self, name: str, args: tuple[Any, ...]) -> Any:
        if self._dead:
            raise Killed
        fault = self._fault if self._fault and self._fault.index == len(self.calls) else None
        self.calls.append(name)
        if fault and fault.when == "before":
            self._strike(fault)
        if fault and fault.when == "middle":
            assert name == "write"
            os.write(args[0], args[1][: len(args[1]) // 2])
            self._strike(fault)
        result = getattr(Disk, name)(self, *args)
        self._note(name, args, result)
        if fault:
            self._strike(fault)
        return result

    def _note(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        if name in ("open", "make"):
            self._open.add(result)
        if name == "close":
            self._open.discard(args[0])

    def _strike(self, fault: Fault) -> None:
        if fault.error is not None:
            raise OSError(fault.error, os.strerror(fault.error))
        self._dead = True
        self.close_all()
        raise Killed

    def close_all(self) -> None:
        """What the kernel does for a dead process: its files are closed, and so its locks are free."""
        while self._open:
            os.close(self._open.pop())


def _passing(name: str) -> Callable[..., Any]:
    return lambda self, *args: self.pass_on(name, args)


for _name in CALLS:
    setattr(FragileDisk, _name, _passing(_name))
