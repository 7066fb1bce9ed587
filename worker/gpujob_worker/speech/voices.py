"""The voices' style arrays, and mixes of them.

Invariant: a mix is the weighted mean of its voices' arrays, computed in float64 in the order of the names, so that the
same mix has the same bits however it was written.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .script import Mix, invalid

Style = NDArray[np.float32]


class VoiceBook:
    """The voices archive; reads one array when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self._archive = np.load(path, allow_pickle=False)
        self._styles: dict[Mix, Style] = {}

    def style(self, mix: Mix) -> Style:
        """The style array of a voice or a mix. Raises JobFailed(invalid_input) for a voice that is not there."""
        if mix not in self._styles:
            self._styles[mix] = blend([(self._read(name), weight) for name, weight in mix])
        return self._styles[mix]

    def _read(self, name: str) -> Style:
        if name not in self._archive:
            raise invalid(f"the model has no voice {name!r}", "gpujob schema tts.narrate lists the voices")
        return np.asarray(self._archive[name], dtype=np.float32)


def blend(parts: list[tuple[Style, float]]) -> Style:
    """The weighted mean; weights need not add up to 1. One part comes back unchanged."""
    if len(parts) == 1:
        return parts[0][0]
    total = sum(weight for _, weight in parts)
    mixed = sum((style.astype(np.float64) * (weight / total) for style, weight in parts), start=np.float64(0))
    return np.asarray(mixed, dtype=np.float32)
