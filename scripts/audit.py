"""Is what is installed what the lock says, and does anybody know a hole in it? `make audit`.

The first is always asked: pip has checked the hash of each locked package when it was installed, so it is enough that
versions agree and that the lock has all that pyproject.toml names. The second is asked of PyPI's database by pip-audit, in
an environment of its own, where the database can be reached. Invariant: what was not looked at is named.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import Any

if __package__:
    from scripts import lock
else:
    import lock

OURS = {"gpujob", "pip", "setuptools", "wheel"}  # this checkout, and what an environment is made with
PIP_AUDIT = "pip-audit>=2.10,<3"
DATABASE = "https://pypi.org/pypi/pip/25.1/json"
PATIENCE_S = 5.0


def main() -> int:
    """Says what is wrong; 1 if anything is."""
    paths = lock.files(["image"])
    if not paths:
        print(f"left out: there is no lock for this platform ({lock.folder().name}); CI has one")
        return 0
    locked, here = lock.read(paths), installed()
    wrong = [*differences(locked, here), *unlocked(locked, tomllib.loads((lock.ROOT / "pyproject.toml").read_text()))]
    for line in wrong:
        print(line)
    if wrong:
        print("Run `make lock` after a change of pyproject.toml; else `make clean`, and `make venv` again.")
        return 1
    beside = [name for name in here if name not in locked]
    if beside:
        print(f"left out: {', '.join(beside)}: installed, and in no lock; `make clean` removes what is not needed")
    print(f"{len(here) - len(beside)} packages are installed as the lock has them")
    return holes(paths)


def installed() -> dict[str, str]:
    """What is installed here beside ourselves: versions by name."""
    found = {lock.normal(one.metadata["Name"]): one.version for one in metadata.distributions()}
    return {name: version for name, version in sorted(found.items()) if name not in OURS}


def differences(locked: dict[str, str], here: dict[str, str]) -> list[str]:
    """What is here in another version than the locked one. What is locked and not here is no fault."""
    return [
        f"{name} {version} is installed, and the lock has {locked[name]}"
        for name, version in here.items()
        if locked.get(name, version) != version
    ]


def unlocked(locked: dict[str, str], project: dict[str, Any]) -> list[str]:
    """What pyproject.toml names for the checks and tests, and the lock has not."""
    extras = project["project"]["optional-dependencies"]
    named = list(project["project"]["dependencies"])
    named += [one for extra in (*lock.EXTRAS, "image") for one in extras[extra]]
    named += [one for group in lock.GROUPS for one in project["dependency-groups"][group]]
    names = sorted({lock.normal(re.split(r"[\[<>=!~; ]", one)[0]) for one in named})
    return [f"{name} is in pyproject.toml, and in no lock" for name in names if name not in locked]


def holes(paths: list[Path]) -> int:
    """Asks pip-audit about the locked packages, where its database can be reached."""
    why_not = unreachable()
    if why_not:
        print(f"left out: the database of known holes cannot be reached from here ({why_not})")
        return 0
    folder = lock.ROOT / ".venv-audit"
    if not (folder / "bin" / "pip-audit").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", PIP_AUDIT], check=True)
    asked = [word for path in paths for word in ("--requirement", str(path))]
    return subprocess.run([folder / "bin" / "pip-audit", "--disable-pip", *asked], check=False).returncode


def unreachable() -> str:
    """Why the database cannot be asked; empty where it can."""
    try:
        with urllib.request.urlopen(DATABASE, timeout=PATIENCE_S) as answer:
            return "" if "vulnerabilities" in json.load(answer) else "it does not say"
    except (OSError, urllib.error.URLError, ValueError) as error:
        return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
