"""Whether the builds of onnxruntime on this machine suit its GPU. Asks the packages' metadata; loads none of them."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from importlib import metadata
from pathlib import Path

CPU_BUILD, GPU_BUILD = "onnxruntime", "onnxruntime-gpu"
SET_UP = "gpujob worker setup-gpu"
_DRIVER = Path("/proc/driver/nvidia/gpus")
_DEVICE = Path("/dev/nvidia0")


def trap(installed: AbstractSet[str], *, gpu: bool) -> str | None:
    """Why speech would run on the CPU of a machine with a GPU, going by what is installed; None where nothing says so."""
    if not gpu or CPU_BUILD not in installed:
        return None
    if GPU_BUILD in installed:
        return f"{CPU_BUILD} and {GPU_BUILD} are installed side by side: the build for CPUs wins, silently"
    return f"this machine has a GPU, and {CPU_BUILD} is the build for CPUs: speech will run on the CPU"


def gpu_present() -> bool:
    """Whether the NVIDIA driver shows a GPU."""
    return _DEVICE.exists() or (_DRIVER.is_dir() and any(_DRIVER.iterdir()))


def installed_builds() -> set[str]:
    """Which of the two builds are installed."""
    return {name for name in (CPU_BUILD, GPU_BUILD) if _has(name)}


def _has(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
