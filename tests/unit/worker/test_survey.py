"""Whether each engine really runs on the GPU, and `--require-gpu`."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from gpujob.errors import Configuration
from gpujob_worker.executor import Device, Executor, JobContext, Outcome
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.fleet import without_flag
from gpujob_worker.survey import survey

GPU: dict[str, Any] = {"host": "h", "gpu": "Tesla T4", "gpu_memory": 16 * 2**30}


class Speech(Executor):
    """Runs where the test says."""

    kinds: ClassVar[tuple[str, ...]] = ("tts.narrate",)

    def __init__(self, device: Device) -> None:
        self._device = device
        self.asked = 0

    def device(self) -> Device:
        self.asked += 1
        return self._device

    def run(self, job: JobContext) -> Outcome:
        return Outcome({})


def test_a_kind_on_the_cpu_of_a_gpu_machine_is_told_with_its_cause() -> None:
    found = survey([EchoExecutor(), Speech(Device("cpu", "two wheels side by side"))], GPU)
    assert found.machine["devices"] == {"tts.narrate": "cpu"}
    assert found.warnings == ("tts.narrate runs on the CPU of a machine with a GPU: two wheels side by side",)


def test_a_kind_on_the_gpu_is_no_cause_to_speak() -> None:
    found = survey([EchoExecutor(), Speech(Device("cuda"))], GPU, require_gpu=True)
    assert (found.machine["devices"], found.warnings) == ({"tts.narrate": "cuda"}, ())


def test_without_a_gpu_nobody_is_asked() -> None:
    speech = Speech(Device("cuda"))
    assert survey([speech], {"host": "h"}).machine["devices"] == {"tts.narrate": "cpu"}
    assert speech.asked == 0


@pytest.mark.parametrize(("machine", "words"), [({"host": "h"}, "lists none"), (GPU, "tts.narrate runs on the CPU")])
def test_require_gpu_refuses(machine: dict[str, Any], words: str) -> None:
    with pytest.raises(Configuration, match=words):
        survey([EchoExecutor(), Speech(Device("cpu"))], machine, require_gpu=True)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (["--gpu", "0,1", "--once"], ["--once"]),
        (["--once", "--gpu=0,1"], ["--once"]),
        (["--id", "w", "--gpu", "0,1"], ["--id", "w"]),
        (["--once"], ["--once"]),
    ],
)
def test_the_fleet_passes_every_other_flag_on(given: list[str], left: list[str]) -> None:
    assert without_flag(given) == left
