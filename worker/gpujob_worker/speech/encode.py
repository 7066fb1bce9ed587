"""From the model's floating-point sound to PCM 16.

Invariant: the same floats give the same bytes: fixed scale, round half to even, clipped, never dithered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FULL_SCALE = 32_767


def to_pcm16(sound: NDArray[np.float32]) -> bytes:
    """Little-endian 16-bit samples; what is outside -1..1 is clipped, and what is no number is silence."""
    finite = np.nan_to_num(sound.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.rint(np.clip(finite, -1.0, 1.0) * _FULL_SCALE).astype("<i2").tobytes()
