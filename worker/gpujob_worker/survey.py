"""What a worker finds out before it serves: whether each engine really runs on the GPU, and what is wrong if not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpujob.errors import Configuration

from .executor import Device, Executor


@dataclass(frozen=True)
class Surroundings:
    """This machine with the device of each kind, and the warnings that users of this worker should see."""

    machine: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def survey(executors: Sequence[Executor], machine: Mapping[str, Any], *, require_gpu: bool = False) -> Surroundings:
    """Asks each executor where it runs, on a machine that has a GPU; elsewhere that is the CPU.

    Raises Configuration where a GPU is required and some kind would run on the CPU.
    """
    has_gpu = "gpu" in machine
    if require_gpu and not has_gpu:
        raise Configuration(
            "a GPU is required (--require-gpu), and nvidia-smi lists none on this machine",
            hint="On Colab choose a GPU runtime. Leave --require-gpu out to serve on the CPU.",
        )
    found = {one: one.device() if has_gpu else Device("cpu" if one.isolated else "") for one in executors}
    devices = {kind: device.name for one, device in found.items() for kind in one.kinds if device.name}
    slow = [
        f"{', '.join(one.kinds)} runs on the CPU of a machine with a GPU{': ' if device.warning else ''}{device.warning}"
        for one, device in found.items()
        if has_gpu and device.name == "cpu"
    ]
    if require_gpu and slow:
        raise Configuration(
            f"a GPU is required (--require-gpu): {'; '.join(slow)}",
            hint="`gpujob worker setup-gpu` installs the build that suits this machine. --kinds serves others only.",
        )
    return Surroundings({**machine, "devices": devices}, tuple(slow))
