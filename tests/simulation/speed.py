"""What makes thousands of schedules a second possible: records decoded once, no folders made for attempts, no log lines.

Invariant: only the cost changes. A record decoded from bytes that were decoded before is the same frozen object; an
attempt's working folder is never used by the simulated executor, so none is made.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import gpujob.store as store_module
import gpujob_worker.attempt as attempt_module
from gpujob.buckets.base import Bucket
from gpujob.records import Record

MOST = 20_000


class _NoFolder:
    """Stands for a working folder that nobody looks into."""

    def __init__(self, path: object = "") -> None:
        pass

    def __truediv__(self, name: str) -> _NoFolder:
        return self

    def mkdir(self) -> None:
        return None

    def absolute(self) -> Path:
        """Where no file lies, so that none is looked for beyond it."""
        return Path("/no-folder")


class _NoDisk:
    """Stands for `tempfile` and `shutil`."""

    @staticmethod
    def mkdtemp(**_: Any) -> str:
        return ""

    @staticmethod
    def rmtree(path: object, **_: Any) -> None:
        return None


def _the_same(bucket: Bucket, **_: object) -> Bucket:
    """What `separate_connection` says of any bucket of this process, without a look at its type."""
    return bucket


@contextmanager
def fast() -> Iterator[None]:
    """Runs schedules fast inside the block."""
    decoded: dict[tuple[type[Record], bytes], Record] = {}
    honest = Record.model_validate_json.__func__  # type: ignore[attr-defined]

    def remembered(cls: type[Record], body: bytes, /, **more: Any) -> Any:
        found = decoded.get((cls, body))
        if found is None:
            if len(decoded) > MOST:
                decoded.clear()
            found = decoded[cls, body] = honest(cls, body, **more)
        return found

    thresholds = gc.get_threshold()
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    gc.set_threshold(20_000, 20, 100)
    try:
        with ExitStack() as stack:
            for target, name, value in (
                (Record, "model_validate_json", classmethod(remembered)),
                (attempt_module, "tempfile", _NoDisk),
                (attempt_module, "shutil", _NoDisk),
                (attempt_module, "Path", _NoFolder),
                (store_module, "separate_connection", _the_same),
            ):
                stack.enter_context(mock.patch.object(target, name, value))
            yield
    finally:
        gc.set_threshold(*thresholds)
        logging.disable(level)
