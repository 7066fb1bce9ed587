"""The encode executor's choices: which ffmpeg, what is missing, and what it says of a GPU that does not encode."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from gpujob_worker.executors.encode import EncodeExecutor
from gpujob_worker.video import nvenc, program
from gpujob_worker.video.program import Program


def script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in names else real(name))


def test_the_ffmpeg_on_the_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ffmpeg = script(tmp_path / "ffmpeg", "echo ffmpeg version 7.1.1-1 Copyright")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program.find() == Program(ffmpeg)
    script(tmp_path / "ffprobe", "true")
    assert program.find() == Program(ffmpeg, str(tmp_path / "ffprobe"))
    assert program.version(Program(ffmpeg)) == "7.1.1-1"
    assert program.version(Program("no-such-program")) == ""


def test_without_any_ffmpeg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    without(monkeypatch, "imageio_ffmpeg")
    readiness = EncodeExecutor().readiness()
    assert (readiness.ready, readiness.hint) == (False, "apt-get install ffmpeg")
    assert EncodeExecutor().device().name == "cpu"


def test_without_the_library_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "ffmpeg")
    assert EncodeExecutor().readiness().hint == "pip install 'gpujob[video]'"


@pytest.mark.parametrize(
    ("body", "gpu", "device", "said"),
    [
        ("exit 0", True, "nvenc", ""),
        ("echo '[h264_nvenc @ 0x1] No capable devices found' >&2; exit 1", True, "cpu", "No capable devices found"),
        ("exit 1", False, "cpu", ""),
    ],
)
def test_the_device_is_where_a_frame_was_encoded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, gpu: bool, device: str, said: str
) -> None:
    count = tmp_path / "count"
    ffmpeg = script(tmp_path / "ffmpeg", f"echo x >> {count}\n{body}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(nvenc, "gpu_present", lambda: gpu)
    executor = EncodeExecutor()
    found = executor.device()
    executor.device()
    assert shutil.which("ffmpeg") == ffmpeg
    assert found.name == device
    assert said in found.warning and bool(found.warning) == bool(said)
    assert count.read_text() == "x\n"  # one frame a process
