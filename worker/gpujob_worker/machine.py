"""What machine this is: for the presence record, the results, and the decision whether a job's needs are met."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

_CGROUP = Path("/sys/fs/cgroup")
VERSIONS_OF = ("gpujob", "kokoro-onnx", "onnxruntime", "onnxruntime-gpu", "torch", "diffusers", "ollama")


@dataclass(frozen=True)
class Free:
    """Memory that is free now, in bytes; None where that is not known."""

    memory: int | None = None
    gpu_memory: int | None = None


def describe(gpu_index: int | None = None) -> dict[str, Any]:
    """Host, provider, GPU and versions, as JSON; of the GPUs, all or the one of that number. A fraction of a second."""
    found: dict[str, Any] = {
        "host": platform.node(),
        "provider": provider(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": _versions(),
    }
    gpu = gpus() if gpu_index is None else gpus()[gpu_index : gpu_index + 1]
    if gpu:
        found["gpu"] = gpu[0]["name"]
        found["gpu_memory"] = max(int(one["memory_bytes"]) for one in gpu)
        found["gpus"] = gpu
    return found


def provider() -> str:
    """colab, kaggle or other, by the folders that they bring."""
    if Path("/content").is_dir() and Path("/opt/google").is_dir():
        return "colab"
    return "kaggle" if Path("/kaggle").is_dir() else "other"


def gpus() -> list[dict[str, Any]]:
    """The NVIDIA GPUs that nvidia-smi lists: name, memory in bytes, driver. Empty where there is none."""
    return [
        {"name": name, "memory_bytes": int(memory) * 2**20, "driver": driver}
        for name, memory, driver in (row for row in _nvidia_smi("name,memory.total,driver_version") if len(row) == 3)
        if memory.isdigit()
    ]


def free(gpu_index: int | None = None) -> Free:
    """What is free now: of the machine (or the container's limit, if that is less), and of the GPU or the freest one."""
    return Free(_free_memory(), _free_gpu_memory(gpu_index))


def _free_memory() -> int | None:
    try:
        rows = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        available = int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None
    limit, used = (_number(_CGROUP / name) for name in ("memory.max", "memory.current"))
    return available if limit is None or used is None else max(0, min(available, limit - used))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None  # no such file, or "max"


def _free_gpu_memory(gpu_index: int | None) -> int | None:
    rows = [row for row in _nvidia_smi("memory.free") if row[0].isdigit()]
    rows = rows if gpu_index is None else rows[gpu_index : gpu_index + 1]
    return max((int(row[0]) * 2**20 for row in rows), default=None)


def _nvidia_smi(fields: str) -> list[list[str]]:
    """The values of some fields, a row a GPU; empty where there is no nvidia-smi or it fails."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        rows = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []
    return [[part.strip() for part in row.split(",")] for row in rows if row.strip()]


def meets(requires: Mapping[str, Any], machine: Mapping[str, Any]) -> bool:
    """Whether a machine has what a job requires. A requirement that nobody here knows is not met."""
    needs = {name: value for name, value in requires.items() if value not in (None, 0, False, "")}
    if set(needs) - {"gpu_memory"}:
        return False
    has, wanted = machine.get("gpu_memory", 0), needs.get("gpu_memory", 0)
    return isinstance(wanted, int) and isinstance(has, int) and has >= wanted


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS_OF:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
