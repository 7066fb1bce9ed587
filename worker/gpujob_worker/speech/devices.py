"""Whether this machine has an NVIDIA GPU, and why speech would nevertheless run on its CPU.

Invariant: looks only; nothing is loaded or allocated on the GPU.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

_DRIVER = Path("/proc/driver/nvidia/gpus")
_DEVICE = Path("/dev/nvidia0")


def gpu_present() -> bool:
    """Whether the NVIDIA driver shows a GPU."""
    return _DEVICE.exists() or (_DRIVER.is_dir() and any(_DRIVER.iterdir()))


def cpu_warning() -> str | None:
    """What to tell the user of a machine that has a GPU while speech runs on the CPU; None where there is no GPU."""
    if not gpu_present():
        return None
    return f"this worker has a GPU, yet speech ran on its CPU: {_cause(_installed())}"


def int8_warning(revision: str) -> str | None:
    """What to tell the user of a GPU that runs int8 weights, for which it has no kernels."""
    if ".int8" not in revision:
        return None
    return "int8 weights are slow on a GPU; run on the worker: gpujob models pull kokoro-fp16"


def _cause(found: set[str]) -> str:
    order = "remove both onnxruntime packages, then: pip install --no-deps onnxruntime-gpu"
    if found == {"onnxruntime", "onnxruntime-gpu"}:
        return f"onnxruntime and onnxruntime-gpu are installed side by side and the CPU build wins; {order}"
    if "onnxruntime-gpu" not in found:
        return f"onnxruntime is the build for CPUs; {order}"
    return "onnxruntime-gpu could not start CUDA (from 1.27 it needs CUDA 13, up to 1.26 CUDA 12 with cuDNN 9)"


def _installed() -> set[str]:
    names = ("onnxruntime", "onnxruntime-gpu")
    return {name for name in names if _has(name)}


def _has(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
