"""The trap of two builds of onnxruntime, named where it is and nowhere else."""

from __future__ import annotations

import pytest

from gpujob_cli import accelerators
from gpujob_cli.accelerators import trap
from gpujob_cli.examinations import this_machine


@pytest.mark.parametrize(
    ("installed", "gpu", "said"),
    [
        ({"onnxruntime", "onnxruntime-gpu"}, True, "side by side"),
        ({"onnxruntime"}, True, "the build for CPUs"),
        ({"onnxruntime-gpu"}, True, None),
        (set(), True, None),
        ({"onnxruntime", "onnxruntime-gpu"}, False, None),
        ({"onnxruntime"}, False, None),
    ],
)
def test_the_trap_is_named(installed: set[str], gpu: bool, said: str | None) -> None:
    found = trap(installed, gpu=gpu)
    assert found is None if said is None else found is not None and said in found


def test_doctor_names_it_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "gpu_present", lambda: True)
    monkeypatch.setattr(accelerators, "installed_builds", lambda: {"onnxruntime", "onnxruntime-gpu"})
    (found,) = this_machine.gpu()
    assert (found.status, found.next) == ("broken", "gpujob worker setup-gpu")


def test_what_is_installed_here_is_seen() -> None:
    assert accelerators.installed_builds() <= {"onnxruntime", "onnxruntime-gpu"}
    assert accelerators._has("gpujob") and not accelerators._has("no-such-distribution")
