"""Where torch really computes, and in which precision.

Invariant: `cuda` is only said after a product of two small matrices came out right there.
"""

from __future__ import annotations

import importlib
from typing import Any

from gpujob_worker.executor import Device
from gpujob_worker.speech.devices import gpu_present

_BFLOAT16_FROM = (8, 0)  # compute capability; older GPUs emulate it, slowly


def torch_device() -> Device:
    """`cuda` where it works, else `cpu`, with the reason on a machine that has a GPU. Raises ImportError without torch."""
    torch = importlib.import_module("torch")
    trouble = _cuda_trouble(torch)
    if trouble is None:
        return Device("cuda")
    if not gpu_present():
        return Device("cpu")
    return Device("cpu", f"this worker has a GPU, yet its images are painted on the CPU: {trouble}")


def capability(device: str) -> tuple[int, int]:
    """The compute capability of the GPU; (0, 0) on a CPU."""
    if device != "cuda":
        return (0, 0)
    found: tuple[int, int] = importlib.import_module("torch").cuda.get_device_capability()
    return found


def precision(device: str, compute: tuple[int, int], *, wants_bfloat16: bool) -> str:
    """The name of torch's type: single precision on a CPU, else half, bfloat16 where model and GPU have it."""
    if device != "cuda":
        return "float32"
    return "bfloat16" if wants_bfloat16 and compute >= _BFLOAT16_FROM else "float16"


def _cuda_trouble(torch: Any) -> str | None:
    """Why CUDA does not compute here; None where it does."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a build for CPUs; install the one for CUDA"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} does not start CUDA {torch.version.cuda}; is the driver new enough for it?"
    try:
        ones = torch.ones((8, 8), device="cuda", dtype=torch.float16)
        answer = float((ones @ ones)[0, 0])
    except Exception as error:  # noqa: BLE001 - whatever it is, CUDA does not work
        return f"torch {torch.__version__} cannot compute on it: {str(error).splitlines()[0]}"
    return None if answer == 8.0 else f"it computed {answer:g} where 8 was to be expected"
