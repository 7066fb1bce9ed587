"""A real full disk: a small file system in memory, mounted for the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .command_line import Person

SPEC = {"kind": "echo", "input": {"message": "x", "artifacts": [{"name": "big.bin", "bytes": 3_000_000}]}}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds 200 kB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a real full disk needs the right to mount one: run the tests as root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_while_downloading_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    person = Person(tmp_path)
    spec = person.write("big.json", SPEC)
    full = person.run("submit", spec, "--wait", "-o", small_disk / "out")
    assert full.code == 6, full.err
    assert "No space left on device" in full.err and "gpujob get" in full.err
    visible = [path for path in (small_disk / "out").iterdir() if not path.name.startswith(".")]
    assert visible == [], "nothing half-written is visible"
    got = person.run("get", full.lines[0], "-o", tmp_path / "roomy")
    assert got.code == 0, got.err
    assert (tmp_path / "roomy" / "big.bin").stat().st_size == 3_000_000
