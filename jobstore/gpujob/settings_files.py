"""The files in which settings stand: where they are, and what is in them.

Invariant: a file that is there and cannot be read is refused by its name; one that is not there is an empty one.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from gpujob.errors import Configuration

PROJECT_FILE = "gpujob.toml"


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds; nothing where there is none. Raises Configuration."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Configuration(f"{path} is not TOML: {error}", hint=f"Correct {path}.") from None
    except OSError as error:
        raise Configuration(f"cannot read {path}: {error.strerror}") from None


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a .env file; none where there is none. Raises Configuration."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # costs more than all else here, and few have the file

    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except UnicodeDecodeError as error:
        raise Configuration(f"{path} is not text: {error}", hint=f"Correct {path}, or remove it.") from None
    except OSError as error:
        raise Configuration(f"cannot read {path}: {error.strerror}") from None


def nearest_project_file(folder: Path) -> Path | None:
    """The nearest gpujob.toml from here upwards."""
    for place in (folder, *folder.parents):
        if (place / PROJECT_FILE).is_file():
            return place / PROJECT_FILE
    return None


def working_folder() -> Path:
    """The folder that this program runs in. Raises Configuration where it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise Configuration(
            "the working directory is not there any more: it was deleted or renamed", hint="Go to another: `cd`."
        ) from None
