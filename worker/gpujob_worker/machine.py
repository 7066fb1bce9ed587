"""What machine this is: for the presence record, the results, and the decision whether a job's needs are met."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

VERSIONS_OF = ("gpujob", "kokoro-onnx", "onnxruntime", "onnxruntime-gpu", "torch", "diffusers")


def describe() -> dict[str, Any]:
    """Host, provider, GPU and versions, as JSON. Takes a fraction of a second."""
    found: dict[str, Any] = {
        "host": platform.node(),
        "provider": provider(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": _versions(),
    }
    gpu = gpus()
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
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    try:
        rows = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for row in rows:
        parts = [part.strip() for part in row.split(",")]
        if len(parts) == 3 and parts[1].isdigit():
            found.append({"name": parts[0], "memory_bytes": int(parts[1]) * 2**20, "driver": parts[2]})
    return found


def meets(requires: Mapping[str, Any], machine: Mapping[str, Any]) -> bool:
    """Whether a machine has what a job requires. A requirement that nobody here knows is not met."""
    needs = {name: value for name, value in requires.items() if value not in (None, 0, False, "")}
    if set(needs) - {"gpu_memory"}:
        return False
    return int(machine.get("gpu_memory") or 0) >= int(needs.get("gpu_memory") or 0)


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS_OF:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
