"""The wheel that is put together again out of installed files is the one that they came from."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from gpujob.errors import Configuration
from gpujob_cli import wheels
from gpujob_cli.wheels import Wheel

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.timeout(400)  # pip fetches what it builds with


@pytest.fixture(scope="module")
def original() -> Wheel:
    """What pip builds of this checkout."""
    with pytest.MonkeyPatch.context() as patient:
        patient.setenv("PIP_RETRIES", "10")
        return wheels.built(ROOT)


def files_of(wheel: Wheel) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(wheel.body)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def install(wheel: Wheel, folder: Path) -> metadata.Distribution:
    """Installs a wheel into a folder, with modules compiled as on a user's machine."""
    (folder / wheel.file_name).write_bytes(wheel.body)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--compile", "--no-index"]
    subprocess.run([*pip, "--target", folder / "site", folder / wheel.file_name], check=True)
    (info,) = (folder / "site").glob("gpujob-*.dist-info")
    return metadata.Distribution.at(info)


def test_the_checkout_that_this_runs_from_is_found() -> None:
    assert wheels.editable_checkout(metadata.distribution("gpujob")) == ROOT


def test_an_installed_copy_gives_the_same_wheel_again(original: Wheel, tmp_path: Path) -> None:
    installed = install(original, tmp_path)
    assert wheels.editable_checkout(installed) is None
    again = wheels.packed(installed)
    assert again.file_name == original.file_name
    before, after = files_of(original), files_of(again)
    record = next(name for name in before if name.endswith("/RECORD"))
    assert sorted(before.pop(record).splitlines()) == sorted(after.pop(record).splitlines())
    assert before == after
    assert wheels.packed(installed).sha256 == again.sha256
    (tmp_path / "second").mkdir()
    assert wheels.packed(install(again, tmp_path / "second")).sha256 == again.sha256


def test_what_cannot_be_built_is_said_with_pips_own_words(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(Configuration, match="pip built no wheel"):
        wheels.built(tmp_path)


def test_a_distribution_without_its_files_is_refused(tmp_path: Path) -> None:
    info = tmp_path / "gpujob-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: gpujob\nVersion: 0.1.0\n")
    (info / "direct_url.json").write_text(json.dumps({"url": "file:///gone", "dir_info": {}}))
    with pytest.raises(Configuration, match="nothing says which files"):
        wheels.packed(metadata.Distribution.at(info))
