"""How much a test run does, and what it may not leave out.

`GPUJOB_TEST_SIZE=full` asks for the long run; `GPUJOB_REQUIRE=minio,kokoro` names the parts that must not be missing.
Invariant: a test asks here alone, so that a part which is missing is always either a failure or a line in the list of
what was left out.
"""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

FULL = os.environ.get("GPUJOB_TEST_SIZE", "quick") == "full"
REQUIRED = frozenset(filter(None, os.environ.get("GPUJOB_REQUIRE", "").replace(" ", "").split(",")))

T = TypeVar("T")


def pick(quick: T, full: T) -> T:
    """The value for this run's size."""
    return full if FULL else quick


def require_or_skip(name: str, how: str, *, there: bool = False) -> None:
    """Does nothing when the part is `there`; else skips with how to get it, or fails where it is required.

    `name` is the word in GPUJOB_REQUIRE (minio, seaweedfs, kokoro, whisper); `how` the command that brings it.
    """
    if there:
        return
    if name in REQUIRED:
        pytest.fail(f"{name} is required here (GPUJOB_REQUIRE) and missing: {how}", pytrace=False)
    pytest.skip(f"{name} is missing: {how}", allow_module_level=True)


def only_at_full_size(what: str) -> None:
    """Leaves `what`, which takes minutes, out of a quick run."""
    if not FULL:
        pytest.skip(f"{what}: make test SIZE=full", allow_module_level=True)
