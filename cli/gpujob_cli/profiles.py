"""Writing a profile into the user's config.toml. What stands there already is kept as it is."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from gpujob.chance import token
from gpujob.errors import Conflict, InvalidSpec, LocalDisk
from gpujob.settings import config_file

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def require_name(name: str) -> None:
    """Raises InvalidSpec for a name that could not stand in config.toml."""
    if not _NAME.fullmatch(name):
        raise InvalidSpec(f"{name!r} is no name for a profile", hint="Letters, digits, - and _ are, 64 at most.")


def write_profile(name: str, store: str) -> Path:
    """Makes profile `name` mean this store; returns the file. Conflict where it means another one already."""
    require_name(name)
    path = config_file()
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        profiles = tomllib.loads(text).get("profiles", {})
        if name in profiles:
            return _keep(path, name, profiles[name], store)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{token()}")
        gap = "\n" if text and not text.endswith("\n\n") else ""
        part.write_text(f"{text}{gap}[profiles.{name}]\nstore = {json.dumps(store)}\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise LocalDisk(f"cannot write {path}: {error.strerror}", hint="Make it writable.") from error
    return path


def _keep(path: Path, name: str, standing: object, store: str) -> Path:
    if isinstance(standing, dict) and standing.get("store") == store:
        return path
    raise Conflict(
        f"profile {name} in {path} means another store already", hint="Choose another name, or change the file."
    )
