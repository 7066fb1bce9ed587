"""What the figures were taken on. Names hardware and versions, never the machine or its user."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

_LIBRARIES = ("gpujob", "boto3", "pydantic")


def describe(store_version: str) -> dict[str, str]:
    """The machine, the versions, the date, and how busy the machine was when the run began."""
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": f"{_cores()} cores of {_processor()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "store": store_version,
        **versions,
    }


def filesystem_of(folder: Path) -> str:
    """The kind of file system that holds `folder`, where the system tells."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "this disk"
    place = folder.resolve()
    over = [(len(at), kind) for _, at, kind, *_ in mounts if at == "/" or place.is_relative_to(at)]
    return max(over)[1] if over else "this disk"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
