"""Makes a virtual environment once, and again only when what it was made from has changed.

Runs on a bare Python 3.11 with the standard library alone. The stamp inside the environment is a hash of all that the
environment depends on (pyproject.toml, the locks, the Python version, what was asked for, and for a copy rather than an editable
install the sources too), so a second run costs a few hashes and no network. An environment keeps the extras that it
once got: asked for fewer, it stays as it is, and asked for more, it gets those beside.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

if __package__:
    from scripts import lock
else:
    import lock

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("jobstore/gpujob", "worker/gpujob_worker", "cli/gpujob_cli")
STAMP = ".gpujob-stamp.json"
NO_VENV = """\
This Python ({python}) cannot make a virtual environment: it has neither ensurepip nor pip.
On Debian or Ubuntu: apt-get install python3-venv. Or name another Python: make PYTHON=/path/to/python3.12 ..."""


def main() -> int:
    """Makes or refreshes the environment that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--extra", action="append", default=[], help="an extra of gpujob, such as tts")
    parser.add_argument("--group", action="append", default=[], help="a dependency group of pyproject.toml")
    parser.add_argument("--about", default="", help="how much there is to fetch, for the line that is printed")
    parser.add_argument("--copy", action="store_true", help="install a copy of gpujob, as a user would")
    wanted = parser.parse_args()
    try:
        refresh(wanted.folder.resolve(), wanted.extra, wanted.group, copy=wanted.copy, about=wanted.about)
    except subprocess.CalledProcessError as error:
        print(f"\n{wanted.folder} could not be made: pip ended with {error.returncode}; its own words are above.")
        return 1
    return 0


def refresh(folder: Path, extras: list[str], groups: list[str], *, copy: bool, about: str = "") -> None:
    """Brings `folder` to the asked state; does nothing when its stamp says that it is there already."""
    stamp = read_stamp(folder)
    python = list(sys.version_info[:2])
    extras = sorted({*extras, *extras_in(stamp, python)})
    locks = [] if copy else lock.files(extras)
    needs = {
        "python": python,
        "pyproject": digest([ROOT / "pyproject.toml", *locks]),
        "extras": extras,
        "groups": groups,
    }
    sources = digest(source_files()) if copy else ""
    if stamp == {"needs": needs, "sources": sources}:
        return
    if stamp.get("needs") == needs:
        say(f"refreshing the copy of gpujob in {folder.name}")
        install(folder, "--no-deps", "--force-reinstall", str(ROOT))
    else:
        say(f"making {folder.name} with {sys.executable} ({about or 'packages'} from PyPI; one to three minutes)")
        make(folder)
        for path in locks:  # pip checks the hash of each; what is not in them comes as pyproject.toml allows
            install(folder, "--require-hashes", "--no-deps", "--requirement", str(path))
        requirement = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
        options = [f"--group={ROOT / 'pyproject.toml'}:{group}" for group in groups]
        install(folder, *options, *([requirement] if copy else ["--editable", requirement]))
    (folder / STAMP).write_text(json.dumps({"needs": needs, "sources": sources}))


def make(folder: Path) -> None:
    """Makes an environment with a recent pip; an environment that is there and works is kept."""
    if not usable(folder):
        shutil.rmtree(folder, ignore_errors=True)
        if importlib.util.find_spec("ensurepip"):
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        elif importlib.util.find_spec("pip"):
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
            borrowed = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
            subprocess.run([*borrowed, "install", "--quiet", "pip>=25.1"], check=True)
        else:
            sys.exit(NO_VENV.format(python=sys.executable))
    install(folder, "pip>=25.1")


def usable(folder: Path) -> bool:
    """Whether the environment's Python runs, is of the asked version, and has pip."""
    wanted = ".".join(map(str, sys.version_info[:2]))
    code = "import sys, pip; print('.'.join(map(str, sys.version_info[:2])))"
    try:
        answer = subprocess.run([folder / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.stdout.strip() == wanted


def install(folder: Path, *arguments: str) -> None:
    """Installs with the environment's own pip; modules are compiled when they are first imported, not all at once."""
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--no-compile", "--quiet"]
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run([*pip, *arguments], check=True, cwd=ROOT, env=os.environ | quiet)


def read_stamp(folder: Path) -> dict[str, object]:
    """What the environment was made from; empty where there is none or its Python has gone."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and (folder / "bin" / "python").exists() else {}


def extras_in(stamp: dict[str, object], python: list[int]) -> list[str]:
    """The extras that an environment of this Python version has got."""
    needs = stamp.get("needs")
    return list(needs.get("extras", ())) if isinstance(needs, dict) and needs.get("python") == python else []


def source_files() -> list[Path]:
    """Every file that goes into the installed packages."""
    found = (path for name in SOURCES for path in sorted((ROOT / name).rglob("*")))
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def digest(paths: list[Path]) -> str:
    """A sha256 over the files' names and bytes."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def say(sentence: str) -> None:
    """One line of talk, at once."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
