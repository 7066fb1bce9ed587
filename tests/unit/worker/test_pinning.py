"""`--gpu 0,1`: the GPU that a worker reports is the one, and the only one, that its executors' processes see."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from gpujob.errors import Configuration
from gpujob.settings import Settings
from gpujob_worker import fleet, machine, main
from gpujob_worker.children.executor import ChildExecutor
from gpujob_worker.executor import Executor, JobContext, Outcome, Readiness
from gpujob_worker.registry import Candidate
from tests import fake_gpus
from tests.fake_gpus import gpu
from tests.fake_job import unheard

CUDA = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")


class Looker(Executor):
    """Tells by the names of its models which GPUs its process was left."""

    kinds: ClassVar[tuple[str, ...]] = ("test.look",)

    def load(self, wanted: Any, report: Any) -> tuple[str, ...]:
        import os

        return tuple(os.environ.get(name, "not set") for name in CUDA)

    def run(self, job: JobContext) -> Outcome:
        return Outcome({})


@pytest.fixture(autouse=True)
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with three GPUs, and a worker that has one executor."""
    for name in CUDA:
        monkeypatch.delenv(name, raising=False)
    names = ("Tesla T4", "A100", "L4")
    fake_gpus.install(tmp_path, [gpu(name, uuid=f"GPU-{name[0]}{name[0]}") for name in names], monkeypatch)
    found = Candidate("look", Looker.kinds, Readiness(True), Looker(), f"{__name__}:Looker")
    monkeypatch.setattr(main, "candidates", lambda *args, **more: [found])


@pytest.fixture
def here(request: pytest.FixtureRequest) -> Iterator[main.Here]:
    """What a worker for the GPU of that number finds, if for any."""
    pin = None if request.param is None else machine.pin(request.param)
    here = look(pin)
    yield here
    for executor in here.executors:
        executor.close()


def look(pin: machine.Pin | None) -> main.Here:
    return main._look(Settings(), None, pin=pin, require_gpu=False)


@pytest.mark.parametrize(
    ("here", "cuda", "name"),
    [(0, "0", "Tesla T4"), (1, "1", "A100"), (2, "2", "L4")],
    indirect=["here"],
)
def test_each_child_sees_the_gpu_that_its_worker_reports_and_no_other(here: main.Here, cuda: str, name: str) -> None:
    (executor,) = here.executors
    assert isinstance(executor, ChildExecutor)
    assert executor.load({}, unheard) == (cuda, "PCI_BUS_ID")
    assert (here.surroundings.machine["gpu"], len(here.surroundings.machine["gpus"])) == (name, 1)


@pytest.mark.parametrize("here", [None], indirect=True)
def test_without_the_flag_a_child_sees_what_its_worker_sees(here: main.Here) -> None:
    assert here.executors[0].load({}, unheard) == ("not set", "not set")
    assert len(here.surroundings.machine["gpus"]) == 3


@pytest.mark.parametrize(
    ("inherited", "number", "index", "name"),
    [
        ("2,0", 0, 2, "2"),
        ("2,0", 1, 0, "0"),
        (" 1 , ", 0, 1, "1"),
        ("GPU-AA", 0, 1, "GPU-AA"),
        ("GPU-TT,GPU-L", 1, 2, "GPU-L"),
    ],
)
def test_the_number_is_counted_among_the_gpus_that_the_worker_was_left(
    monkeypatch: pytest.MonkeyPatch, inherited: str, number: int, index: int, name: str
) -> None:
    """It was taken as one of the machine's, so a worker could run on a GPU that it had not been given."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", inherited)
    assert machine.pin(number) == machine.Pin(number, index, name)


@pytest.mark.parametrize(
    ("inherited", "number", "words"),
    [
        (None, 3, "no GPU 3: nvidia-smi lists 3"),
        (None, -1, "no GPU -1"),
        ("0,1", 2, "CUDA_VISIBLE_DEVICES leaves 2"),
        ("", 0, "CUDA_VISIBLE_DEVICES leaves none"),
        ("7", 0, "GPU 0 is 7 of CUDA_VISIBLE_DEVICES, which nvidia-smi does not list"),
        ("-1", 0, "does not list"),
        ("MIG-x", 0, "does not list"),
        ("GPU-", 0, "does not list"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, inherited: str | None, number: int, words: str
) -> None:
    if inherited is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", inherited)
    with pytest.raises(Configuration, match=words):
        machine.pin(number)


def test_a_fleet_with_a_gpu_that_is_not_there_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpujob-worker", "--gpu", "0,3"])
    monkeypatch.setattr(fleet, "run", lambda *args: pytest.fail("it started"))
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 3
    assert "there is no GPU 3" in capsys.readouterr().err


def test_a_fleet_has_a_worker_for_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **more: Any) -> None:
            started.append(command[1:])

        def wait(self) -> int:
            return len(started) - 1

    monkeypatch.setattr(fleet, "subprocess", SimpleNamespace(Popen=Process))
    monkeypatch.setattr(fleet.signal, "signal", lambda *args: None)
    monkeypatch.setattr(sys, "argv", ["gpujob-worker", "--gpu", "0,2", "--once"])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 1, "the worst of their exit codes"
    assert started == [["-m", "gpujob_worker", "--once", "--gpu", number] for number in ("0", "2")]
