"""What a picture's file says of its origin, as text.

Invariant: nothing in it changes from run to run (no time, no job's id), so that the same pixels give the same file.
The form of `parameters` is the one that readers of AUTOMATIC1111's web UI parse (modules/infotext_utils.py,
`parse_generation_parameters`): the prompt, a line with the negative prompt, and a line of `Name: value`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SAMPLERS = {
    "DDIMScheduler": "DDIM",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "DPMSolverSDEScheduler": "DPM++ SDE",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "EulerDiscreteScheduler": "Euler",
    "HeunDiscreteScheduler": "Heun",
    "KDPM2AncestralDiscreteScheduler": "DPM2 a",
    "KDPM2DiscreteScheduler": "DPM2",
    "LCMScheduler": "LCM",
    "LMSDiscreteScheduler": "LMS",
    "PNDMScheduler": "PLMS",
    "UniPCMultistepScheduler": "UniPC",
}


@dataclass(frozen=True)
class Origin:
    """How one picture came about. `made` is the input that paints it again, `engine` what painted it."""

    made: Mapping[str, Any]
    engine: Mapping[str, Any]
    software: str

    def parameters(self) -> str:
        """The text of the chunk `parameters`."""
        made = self.made
        lines = [str(made["prompt"])]
        if made.get("negative_prompt"):
            lines.append(f"Negative prompt: {made['negative_prompt']}")
        settings = {
            "Steps": made.get("num_inference_steps"),
            "Sampler": SAMPLERS.get(str(made.get("scheduler")), made.get("scheduler")),
            "CFG scale": _number(made.get("guidance_scale")),
            "Seed": made.get("seed"),
            "Size": f"{made['width']}x{made['height']}",
            "Model": self.engine.get("model"),
            "Version": self.software,
        }
        lines.append(", ".join(f"{name}: {_quoted(value)}" for name, value in settings.items() if value is not None))
        return "\n".join(lines)

    def as_json(self) -> str:
        """The text of the chunk `gpujob`: the same as JSON in ASCII, keys in order."""
        facts = {"kind": "image.generate", "input": self.made, "engine": self.engine, "software": self.software}
        return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def _number(value: Any) -> str | None:
    return None if value is None else f"{value:g}"


def _quoted(value: Any) -> str:
    """As that web UI quotes: JSON where a comma, a colon or a line's end would be misread."""
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",:\n") else text
