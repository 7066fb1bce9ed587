"""The narrate executor's choices: what it needs, which weights it takes, what it says about a GPU left idle."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from gpujob import models
from gpujob_worker.executors.narrate import NarrateExecutor, choose_models
from gpujob_worker.speech import devices


def pretend_installed(root: Path, *names: str) -> None:
    """Files of the right names and sizes, without contents."""
    for name in names:
        model = models.describe(name)
        for file in model.files:
            path = root / model.folder / file.name
            path.parent.mkdir(exist_ok=True)
            with path.open("wb") as stream:
                stream.truncate(file.size_bytes)


@pytest.mark.parametrize(
    ("here", "gpu", "expected"),
    [
        ((), False, ("kokoro",)),
        ((), True, ("kokoro-fp16", "kokoro")),
        (("kokoro",), True, ("kokoro",)),
        (("kokoro", "kokoro-fp32"), True, ("kokoro-fp32",)),
        (("kokoro", "kokoro-fp16"), False, ("kokoro",)),
        (("kokoro-fp32",), False, ("kokoro-fp32",)),
    ],
)
def test_the_weights_suit_the_device(
    tmp_path: Path, here: tuple[str, ...], gpu: bool, expected: tuple[str, ...]
) -> None:
    pretend_installed(tmp_path, *here)
    assert choose_models(tmp_path, gpu=gpu) == expected


def test_without_the_libraries_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "kokoro_onnx" else real(name))
    readiness = NarrateExecutor().readiness()
    assert (readiness.ready, readiness.hint) == (False, "pip install 'gpujob[tts]'")
    assert "kokoro_onnx" in readiness.reason


def test_a_gpu_left_idle_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "none")
    monkeypatch.setattr(devices, "_DEVICE", tmp_path / "nvidia0")
    assert devices.cpu_warning() is None
    (tmp_path / "nvidia0").touch()
    said = {}
    for found in (("onnxruntime",), ("onnxruntime", "onnxruntime-gpu"), ("onnxruntime-gpu",)):
        monkeypatch.setattr(devices, "_installed", lambda found=found: set(found))
        said[found] = devices.cpu_warning() or ""
    assert "build for CPUs" in said[("onnxruntime",)]
    assert "side by side" in said[("onnxruntime", "onnxruntime-gpu")]
    assert "CUDA 12" in said[("onnxruntime-gpu",)]


def test_int8_weights_on_a_gpu_are_warned_of() -> None:
    assert "kokoro-fp16" in (devices.int8_warning("kokoro-v1.0.int8@6e74") or "")
    assert devices.int8_warning("kokoro-v1.0.fp16@c161") is None
