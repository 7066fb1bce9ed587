"""Writes the lock: every package that the checks and tests run with, with version and sha256. `make lock`.

pip resolves pyproject.toml anew and says what it would install; nothing is installed. A lock is good for one platform and
Python, whose name its folder carries; elsewhere packages are installed as pyproject.toml allows. Invariant: a line of a
lock names one version and the sha256 of the one file of it that pip takes here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "locks"
EXTRAS = ("tts", "chat", "video")
GROUPS = ("lint", "test", "speech")
LINE = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})")
HEAD = """\
# What `make venv` installs here{what}. Written by `make lock`; pip checks every hash.
"""


def main() -> int:
    """Renews the locks of this platform."""
    folder().mkdir(parents=True, exist_ok=True)
    quick = resolved(EXTRAS)
    image = resolved((*EXTRAS, "image"))
    changed = {name: (quick[name], image[name]) for name in quick if image.get(name, quick[name]) != quick[name]}
    if changed:
        sys.exit(f"with image other versions are needed, so one environment cannot hold both: {changed}")
    write("base", "", quick)
    write("image", " for the image tests", {name: line for name, line in image.items() if name not in quick})
    return 0


def folder() -> Path:
    """Where the locks of this platform and Python are."""
    return LOCKS / f"{sysconfig.get_platform()}-{sys.implementation.name}{sys.version_info[0]}{sys.version_info[1]}"


def files(extras: tuple[str, ...] | list[str]) -> list[Path]:
    """The locks that hold for an environment with these extras; none where this platform has none."""
    names = ["base", *(["image"] if "image" in extras else [])]
    return [path for name in names if (path := folder() / f"{name}.txt").exists()]


def read(paths: list[Path]) -> dict[str, str]:
    """The locked versions by name. Raises ValueError for a line without a hash."""
    found = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                match = LINE.fullmatch(line)
                if match is None:
                    raise ValueError(f"{path.relative_to(ROOT)}: {line!r} is not name==version --hash=sha256:...")
                found[match["name"]] = match["version"]
    return found


def resolved(extras: tuple[str, ...]) -> dict[str, str]:
    """The lines of all packages by name, as pip resolves them now."""
    groups = [f"--group={ROOT / 'pyproject.toml'}:{group}" for group in GROUPS]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*pip, *groups, f"{ROOT}[{','.join(extras)}]"], check=True, capture_output=True, text=True)
    return lines(json.loads(done.stdout))


def lines(report: dict[str, Any]) -> dict[str, str]:
    """The lines of a report of pip, without gpujob itself."""
    found = {}
    for one in report["install"]:
        archive = one["download_info"].get("archive_info")
        if archive is not None:
            name = normal(one["metadata"]["name"])
            found[name] = f"{name}=={one['metadata']['version']} --hash=sha256:{archive['hashes']['sha256']}"
    return dict(sorted(found.items()))


def normal(name: str) -> str:
    """A package's name in the one spelling that compares. See PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def write(name: str, what: str, packages: dict[str, str]) -> None:
    """Writes one lock."""
    path = folder() / f"{name}.txt"
    path.write_text(HEAD.format(what=what) + "".join(f"{line}\n" for line in packages.values()), encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: {len(packages)} packages")


if __name__ == "__main__":
    sys.exit(main())
