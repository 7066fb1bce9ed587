"""The environment of the tests: made once, widened when more is asked for, never narrowed or made again for less."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scripts import audit, lock, make_venv

GROUPS = ["test"]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The requirements that are installed, one after another, into an environment that holds nothing."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    found: list[str] = []
    monkeypatch.setattr(make_venv, "make", lambda folder: None)
    monkeypatch.setattr(make_venv, "install", lambda folder, *words: found.append(words[-1].rpartition("/")[2]))
    monkeypatch.setattr(make_venv.lock, "files", lambda extras: [])
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


def test_what_is_locked_comes_first_and_with_its_hashes(
    installed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_venv.lock, "files", lambda extras: [tmp_path / f"{one}.txt" for one in ("base", *extras)])
    refresh(tmp_path, "tts")
    assert installed[:2] == ["base.txt", "tts.txt"] and extras(installed[2]) == "tts"
    (tmp_path / "copy").mkdir()
    make_venv.refresh(tmp_path / "copy", [], [], copy=True)
    assert installed[3:] == [make_venv.ROOT.name], "a copy is installed as a user would"


def test_a_package_that_is_not_the_locked_one_is_named() -> None:
    locked = {"kept": "1.0", "newer": "1.0", "absent": "1.0"}
    assert audit.differences(locked, {"kept": "1.0", "newer": "2.0", "beside": "3.0"}) == [
        "newer 2.0 is installed, and the lock has 1.0",
    ]
    project = {
        "project": {
            "dependencies": ["kept>=1"],
            "optional-dependencies": {key: ["Kept"] for key in [*lock.EXTRAS, "image"]},
        },
        "dependency-groups": {key: ["for.gotten[s3]>=2"] for key in lock.GROUPS},
    }
    assert audit.unlocked(locked, project) == ["for-gotten is in pyproject.toml, and in no lock"]


def test_every_line_of_a_lock_has_a_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted(lock.LOCKS.rglob("*.txt")):
        assert lock.read([path])
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    loose = tmp_path / "loose.txt"
    loose.write_text("boto3==1.44.5\n")
    with pytest.raises(ValueError, match=r"loose\.txt: 'boto3==1\.44\.5' is not"):
        lock.read([loose])


def test_the_report_of_pip_becomes_lines() -> None:
    report = {
        "install": [
            {"metadata": {"name": "gpujob", "version": "1"}, "download_info": {"url": "file:///x", "dir_info": {}}},
            {
                "metadata": {"name": "Ruamel.Yaml", "version": "0.19.1"},
                "download_info": {"archive_info": {"hashes": {"sha256": "ab" * 32}}},
            },
        ]
    }
    assert lock.lines(report) == {"ruamel-yaml": f"ruamel-yaml==0.19.1 --hash=sha256:{'ab' * 32}"}
