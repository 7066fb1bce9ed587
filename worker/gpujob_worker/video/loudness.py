"""What loudnorm's first pass measured, in the words of its second.

Source: ffmpeg's manual of filters, "loudnorm", `print_format=json` and the options `measured_*` and `offset`.
"""

from __future__ import annotations

import json
import math
import re

_NAMES = {
    "measured_I": "input_i",
    "measured_TP": "input_tp",
    "measured_LRA": "input_lra",
    "measured_thresh": "input_thresh",
    "offset": "target_offset",
}
_RANGES = {
    "measured_I": (-99.0, 0.0),
    "measured_TP": (-99.0, 99.0),
    "measured_LRA": (0.0, 99.0),
    "measured_thresh": (-99.0, 0.0),
    "offset": (-99.0, 99.0),
}


def measured(said: str) -> dict[str, str]:
    """The options for the second pass; empty where the sound is too quiet or too short to be measured."""
    blocks = re.findall(r"\{[^{}]*\"input_i\"[^{}]*\}", said)
    try:
        answer = json.loads(blocks[-1])
        values = {option: float(answer[name]) for option, name in _NAMES.items()}
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return {}
    for option, value in values.items():
        lowest, highest = _RANGES[option]
        if not math.isfinite(value) or not lowest <= value <= highest:
            return {}
    return {option: f"{value:g}" for option, value in values.items()}
