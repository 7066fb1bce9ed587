"""What machine this is, read from an imitation of nvidia-smi, of the kernel's tables and of the hosts' folders."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from gpujob_worker import machine, main
from gpujob_worker.machine import Free
from gpujob_worker.survey import Surroundings
from tests import fake_gpus
from tests.fake_gpus import gpu

GIB = 2**30
MEMINFO = "MemTotal:       16384000 kB\nMemFree:  1024 kB\nMemAvailable:    8192000 kB\nHugePages_Total:       0\n"
TWO = [gpu("Tesla T4", free_mib=1000, uuid="GPU-aa"), gpu("A100", mib=40960, free_mib=3000, uuid="GPU-bb")]


class Box:
    """A machine that a test furnishes; at first it has nothing but memory."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._monkeypatch = monkeypatch
        (root / "bin").mkdir()
        (root / "meminfo").write_text(MEMINFO)
        monkeypatch.setenv("PATH", str(root / "bin"))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
        monkeypatch.setattr(machine, "_MEMINFO", root / "meminfo")
        monkeypatch.setattr(machine, "_CGROUP", root / "cgroup")
        monkeypatch.setattr(machine, "_KAGGLE", root / "kaggle")
        monkeypatch.setattr(machine, "_COLAB", (root / "content", root / "opt" / "google"))

    def has(self, rows: Sequence[dict[str, object]]) -> None:
        fake_gpus.install(self.root / "bin", rows, self._monkeypatch)

    def container(self, most: str, used: int) -> None:
        (self.root / "cgroup").mkdir()
        (self.root / "cgroup" / "memory.max").write_text(f"{most}\n")
        (self.root / "cgroup" / "memory.current").write_text(f"{used}\n")

    def folders(self, *names: str) -> None:
        for name in names:
            (self.root / name).mkdir(parents=True)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    return Box(tmp_path, monkeypatch)


def test_what_is_free_without_a_gpu_and_a_limit_is_what_the_kernel_calls_available(box: Box) -> None:
    assert machine.free() == Free(8192000 * 1024, None)


@pytest.mark.parametrize(
    ("most", "used", "left"),
    [
        (str(4 * GIB), GIB, 3 * GIB),
        (str(4 * GIB), 5 * GIB, 0),
        (str(64 * GIB), GIB, 8192000 * 1024),
        ("max", GIB, 8192000 * 1024),
    ],
)
def test_a_container_has_free_what_its_limit_leaves(box: Box, most: str, used: int, left: int) -> None:
    box.container(most, used)
    assert machine.free().memory == left


@pytest.mark.parametrize("text", ["", "MemTotal: 1 kB\n", "MemAvailable: lots\n", "MemAvailable:\n", "no table"])
def test_a_kernel_that_does_not_say_what_is_free_is_no_trouble(box: Box, text: str) -> None:
    (box.root / "meminfo").write_text(text)
    assert machine.free() == Free(None, None)


@pytest.mark.parametrize(("index", "mib"), [(None, 3000), (0, 1000), (1, 3000), (2, None)])
def test_what_is_free_on_a_gpu_is_that_of_the_asked_one_or_of_the_freest(
    box: Box, index: int | None, mib: int | None
) -> None:
    box.has(TWO)
    assert machine.free(index).gpu_memory == (None if mib is None else mib * 2**20)


def test_a_gpu_that_does_not_say_what_is_free_does_not_shift_the_others(box: Box) -> None:
    box.has([gpu() | {"memory.free": "[N/A]", "memory.total": "[N/A]"}, *TWO])
    assert machine.free(1).gpu_memory == 1000 * 2**20
    assert [one["index"] for one in machine.gpus()] == [1, 2]
    assert machine.describe(1)["gpu"] == "Tesla T4"


def test_a_tool_that_fails_is_no_gpu(box: Box) -> None:
    broken = box.root / "bin" / "nvidia-smi"
    broken.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    broken.chmod(0o755)
    assert machine.free().gpu_memory is None
    assert "gpu" not in machine.describe()


def test_the_description_of_a_machine_without_a_gpu(box: Box) -> None:
    found = machine.describe()
    assert (found["provider"], found["memory"]) == ("other", 16384000 * 1024)
    assert not {"gpu", "gpus", "gpu_memory"} & set(found)
    assert "gpujob" in found["versions"]


@pytest.mark.parametrize(("most", "memory"), [(str(2 * GIB), 2 * GIB), (str(64 * GIB), 16384000 * 1024)])
def test_the_memory_of_a_container_is_its_limit(box: Box, most: str, memory: int) -> None:
    box.container(most, GIB)
    assert machine.describe()["memory"] == memory


def test_a_machine_that_does_not_say_its_memory_says_nothing_of_it(box: Box) -> None:
    (box.root / "meminfo").unlink()
    assert "memory" not in machine.describe()


def test_the_description_has_all_gpus_or_the_one_that_is_asked_for(box: Box) -> None:
    box.has(TWO)
    found = machine.describe()
    assert (found["gpu"], found["gpu_memory"]) == ("Tesla T4", 40960 * 2**20)
    assert found["gpus"] == [
        {"index": 0, "name": "Tesla T4", "memory_bytes": 15360 * 2**20, "driver": "550.54.15"},
        {"index": 1, "name": "A100", "memory_bytes": 40960 * 2**20, "driver": "550.54.15"},
    ]
    pinned = machine.describe(1)
    assert (pinned["gpu"], pinned["gpu_memory"], len(pinned["gpus"])) == ("A100", 40960 * 2**20, 1)


@pytest.mark.parametrize(
    ("folders", "name"),
    [
        ((), "other"),
        (("content",), "other"),
        (("content", "opt/google"), "colab"),
        (("kaggle",), "kaggle"),
        (("content", "opt/google", "kaggle"), "kaggle"),
    ],
)
def test_the_provider_is_told_by_its_folders_and_kaggle_has_those_of_colab_too(
    box: Box, folders: tuple[str, ...], name: str
) -> None:
    box.folders(*folders)
    assert machine.provider() == name


def test_kaggle_is_told_by_its_own_word_before_all_folders(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.folders("content", "opt/google")
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert machine.provider() == "kaggle"


def test_the_report_at_the_start_names_the_memory_and_the_versions_of_the_engines(
    box: Box, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.has([gpu()])
    monkeypatch.setattr(machine.metadata, "version", lambda name: "1.2.3")
    with caplog.at_level(logging.INFO, "gpujob.worker"):
        main._report_machine(Surroundings(machine.describe()))
    assert "17 GB memory, Tesla T4, 16 GB, driver 550.54.15, Python" in caplog.text
    assert "onnxruntime 1.2.3, " in caplog.text and "torch 1.2.3" in caplog.text
