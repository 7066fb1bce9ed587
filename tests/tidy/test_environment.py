"""The environment of the tests: made once, widened when more is asked for, never narrowed or made again for less."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scripts import make_venv

GROUPS = ["test"]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The requirements that are installed, one after another, into an environment that holds nothing."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    found: list[str] = []
    monkeypatch.setattr(make_venv, "make", lambda folder: None)
    monkeypatch.setattr(make_venv, "install", lambda folder, *words: found.append(words[-1].rpartition("/")[2]))
    monkeypatch.setattr(make_venv, "digest", lambda paths: "same")
    return found


def refresh(folder: Path, *extras: str) -> None:
    make_venv.refresh(folder, list(extras), GROUPS, copy=False)


def extras(requirement: str) -> str:
    return requirement.partition("[")[2].rstrip("]")


def test_a_full_run_after_a_quick_one_adds_and_a_quick_one_after_that_does_nothing(
    installed: list[str], tmp_path: Path
) -> None:
    refresh(tmp_path, "tts")
    refresh(tmp_path, "tts")
    refresh(tmp_path, "tts", "image")
    refresh(tmp_path, "tts")
    refresh(tmp_path, "image", "tts")
    assert [extras(one) for one in installed] == ["tts", "image,tts"]


def test_what_it_holds_is_renewed_whole(installed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh(tmp_path, "tts", "image")
    monkeypatch.setattr(make_venv, "digest", lambda paths: "another pyproject.toml")
    refresh(tmp_path, "tts")
    assert [extras(one) for one in installed] == ["image,tts", "image,tts"]


def test_another_python_begins_with_what_is_asked_for(
    installed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(tmp_path, "tts", "image")
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    refresh(tmp_path, "tts")
    assert [extras(one) for one in installed] == ["image,tts", "tts"]


def test_only_the_full_size_fetches_pytorch_and_says_how_much_that_is() -> None:
    said = {}
    for size in ("quick", "full"):
        command = ["make", "--no-print-directory", "-n", "venv", f"SIZE={size}"]
        said[size] = subprocess.run(command, cwd=make_venv.ROOT, capture_output=True, text=True, check=True).stdout
    assert "--extra image" not in said["quick"]
    assert "--extra image" in said["full"] and "PyTorch" in said["full"] and " GB" in said["full"]
