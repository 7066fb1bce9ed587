"""An nvidia-smi for machines that have none. It answers the queries it is asked, in the form of the real one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_PROGRAM = """#!{python} -IS
import json, sys
asked = dict(word.removeprefix("--").partition("=")[::2] for word in sys.argv[1:])
assert asked["format"] == "csv,noheader,nounits", asked
for number, row in enumerate(json.loads({rows!r})):
    print(", ".join(str({{"index": number, **row}}[field]) for field in asked["query-gpu"].split(",")))
"""


def gpu(name: str = "Tesla T4", *, mib: int = 15360, free_mib: int = 15000, uuid: str = "GPU-0") -> dict[str, object]:
    """What the program says of one GPU."""
    return {
        "uuid": uuid,
        "name": name,
        "memory.total": mib,
        "memory.free": free_mib,
        "driver_version": "550.54.15",
    }


def install(folder: Path, rows: Sequence[dict[str, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a machine with these GPUs is this one, for this process and what it starts."""
    program = folder / "nvidia-smi"
    program.write_text(_PROGRAM.format(python=sys.executable, rows=json.dumps(rows)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
