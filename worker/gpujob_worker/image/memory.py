"""What to do when memory runs out: recognise it, free what can be freed, and say what would fit.

Invariant: nothing here imports torch; it looks at names and texts, and at torch only where that is loaded already.
"""

from __future__ import annotations

import gc
import sys

from gpujob.errors import JobFailed
from gpujob.specs.inputs.image import clamp_side

_TEXTS = (
    "out of memory",
    "can't allocate memory",  # torch on a CPU
    "cannot allocate memory",
    "failed to allocate",
    "alloc_failed",  # CUBLAS_STATUS_ALLOC_FAILED and cuDNN's like
    "not enough memory",
)
_SMALLER = 0.75  # of each side: about half the pixels, and a third of the attention


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is torch's, the driver's or Python's word for memory that ran out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _TEXTS)


def free() -> None:
    """Gives back what nobody refers to any more, on the GPU too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def does_not_load(name: str, device: str) -> JobFailed:
    """What a job hears whose model is too large for this machine."""
    return JobFailed(
        f"the model {name} does not fit into this worker's {_memory(device)}",
        type="out_of_memory",
        hint="Choose a smaller model, or let `requires: {gpu_memory: ...}` find a larger GPU.",
    )


def does_not_fit(size: tuple[int, int] | None, device: str) -> JobFailed:
    """What a job hears whose picture was too large, with a size that may fit."""
    what, hint = "this picture", ""
    if size is not None:
        what = f"{size[0]}x{size[1]} pixels"
        width, height = (clamp_side(int(side * _SMALLER)) for side in size)
        hint = f"{width}x{height} may fit: `size: {width}x{height}`. " if (width, height) != size else ""
    return JobFailed(
        f"painting {what} needs more than this worker's {_memory(device)}, also in slices and tiles",
        type="out_of_memory",
        hint=f"{hint}`requires: {{gpu_memory: ...}}` finds a larger GPU.",
    )


def _memory(device: str) -> str:
    return "memory" if device == "cpu" else "GPU memory"
