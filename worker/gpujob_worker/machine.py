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

from gpujob import settings
from gpujob.errors import Configuration

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_KAGGLE = Path("/kaggle")
_COLAB = (Path("/content"), Path("/opt/google"))
VERSIONS_OF = ("gpujob", "kokoro-onnx", "onnxruntime", "onnxruntime-gpu", "torch", "diffusers", "ollama")


@dataclass(frozen=True)
class Free:
    """Memory that is free now, in bytes; None where that is not known."""

    memory: int | None = None
    gpu_memory: int | None = None


@dataclass(frozen=True)
class Pin:
    """The one GPU that a worker keeps to: the number that asked for it, nvidia-smi's number, and CUDA's name for it."""

    number: int
    index: int
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """With these variables CUDA sees that GPU alone; it would count the fastest first, not as nvidia-smi does."""
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": self.name}


def pin(number: int) -> Pin:
    """The GPU of a number, counted among those that CUDA_VISIBLE_DEVICES leaves. Raises Configuration for none."""
    listed = {index: uuid for index, uuid in _rows("index,uuid") if index.isdigit()}
    visible = settings.visible_gpus()
    names = tuple(listed) if visible is None else visible
    if not 0 <= number < len(names):
        left = "nvidia-smi lists" if visible is None else "CUDA_VISIBLE_DEVICES leaves"
        raise Configuration(
            f"there is no GPU {number}: {left} {len(names) or 'none'} on this machine",
            hint=f"Their numbers are 0 to {len(names) - 1}." if names else "Leave --gpu out to serve on the CPU.",
        )
    name = names[number]
    found = [index for index, uuid in listed.items() if name == index or uuid.startswith(name)]
    if len(found) != 1:
        raise Configuration(
            f"GPU {number} is {name} of CUDA_VISIBLE_DEVICES, which nvidia-smi does not list",
            hint="Correct that variable, or leave --gpu out to serve on what it names.",
        )
    return Pin(number, int(found[0]), name)


def describe(gpu_index: int | None = None) -> dict[str, Any]:
    """Host, provider, memory, GPU and versions, as JSON; of the GPUs, all or nvidia-smi's one of that number.

    Takes a fraction of a second.
    """
    found: dict[str, Any] = {
        "host": platform.node(),
        "provider": provider(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": _versions(),
    }
    memory_bytes = _memory()
    if memory_bytes is not None:
        found["memory"] = memory_bytes
    gpu = [one for one in gpus() if gpu_index in (None, one["index"])]
    if gpu:
        found["gpu"] = gpu[0]["name"]
        found["gpu_memory"] = max(int(one["memory_bytes"]) for one in gpu)
        found["gpus"] = gpu
    return found


def provider() -> str:
    """colab, kaggle or other, by what they bring; Kaggle's image is built on Colab's and has its folders too."""
    if settings.on_kaggle() or _KAGGLE.is_dir():
        return "kaggle"
    return "colab" if all(folder.is_dir() for folder in _COLAB) else "other"


def gpus() -> list[dict[str, Any]]:
    """The NVIDIA GPUs that nvidia-smi lists: number, name, memory in bytes, driver. Empty where there is none."""
    return [
        {"index": int(index), "name": name, "memory_bytes": int(memory) * 2**20, "driver": driver}
        for index, name, memory, driver in _rows("index,name,memory.total,driver_version")
        if index.isdigit() and memory.isdigit()
    ]


def free(gpu_index: int | None = None) -> Free:
    """What is free now: of the machine (or the container's limit, if that is less), and of that GPU or the freest one."""
    return Free(_free_memory(), _free_gpu_memory(gpu_index))


def _free_memory() -> int | None:
    available = _meminfo("MemAvailable")
    limit, used = (_number(_CGROUP / name) for name in ("memory.max", "memory.current"))
    if available is None or limit is None or used is None:
        return available
    return max(0, min(available, limit - used))


def _memory() -> int | None:
    """The memory of the machine, or the container's limit, if that is less."""
    total, limit = _meminfo("MemTotal"), _number(_CGROUP / "memory.max")
    return total if total is None or limit is None else min(total, limit)


def _meminfo(name: str) -> int | None:
    """A row of the kernel's table of memory, in bytes."""
    try:
        rows = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        return int(rows[name].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None  # no such file, or "max"


def _free_gpu_memory(gpu_index: int | None) -> int | None:
    free_mib = {
        int(index): int(memory)
        for index, memory in _rows("index,memory.free")
        if index.isdigit() and memory.isdigit() and gpu_index in (None, int(index))
    }
    return max((mib * 2**20 for mib in free_mib.values()), default=None)


def _rows(fields: str) -> list[list[str]]:
    """The values of some fields, a row a GPU; a row that has not all of them is none."""
    return [row for row in _nvidia_smi(fields) if len(row) == fields.count(",") + 1]


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
