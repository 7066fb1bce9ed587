"""The model cache: which models there are, which are on this machine, and how one gets here.

Invariant: what `ensure` returns has been verified by sha256 when it was placed, and is never fetched twice. Nothing
here reads settings; the caller passes the folder (`root`) and whether the network may be used (`offline`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from gpujob.errors import Configuration, NotFound

from .catalogue import MODELS, Model
from .fetch import part_of
from .install import LOCK_NAME, Progress, install, is_here, missing
from .locking import file_lock

__all__ = [
    "Installed", "KokoroFiles", "Model", "Progress",
    "default_root", "describe", "ensure", "ensure_model", "installed", "is_installed", "names", "remove",
]  # fmt: skip


@dataclass(frozen=True)
class KokoroFiles:
    """A speech model on this disk. `revision` names the weights by content."""

    model: Path
    voices: Path
    revision: str


@dataclass(frozen=True)
class Installed:
    """A model that is complete on this disk."""

    name: str
    folder: Path
    size_bytes: int
    revision: str


def default_root() -> Path:
    """The user's cache folder for models."""
    return platformdirs.user_cache_path("gpujob") / "models"


def names() -> tuple[str, ...]:
    """All models that can be had."""
    return tuple(model.name for model in MODELS)


def describe(name: str) -> Model:
    """The catalogue's entry; NotFound for a name that is not in it."""
    for model in MODELS:
        if model.name == name:
            return model
    raise NotFound(f"there is no model {name!r}", hint=f"The models are: {', '.join(names())}.")


def ensure(
    name: str = "kokoro", *, root: Path | None = None, progress: Progress | None = None, offline: bool = False
) -> KokoroFiles:
    """The model's files, fetched first if they are not here.

    Safe between processes: one fetches, the others wait. An interrupted download resumes. Raises Configuration
    (with every source's reason) where no source delivers, or at once when `offline`; LocalDisk for a full disk.
    """
    return ensure_model(describe(name), root=root, progress=progress, offline=offline)


def ensure_model(
    model: Model, *, root: Path | None = None, progress: Progress | None = None, offline: bool = False
) -> KokoroFiles:
    """`ensure` for a catalogue entry of one's own."""
    folder = _folder(model, root)
    if offline and missing(model, folder):
        raise Configuration(
            f"the model {model.name} is not in {folder}, and fetching it is switched off",
            hint=f"run: gpujob models pull {model.name}",
        )
    install(model, folder, progress or _silent)
    return KokoroFiles(folder / model.weights.name, folder / model.voices.name, model.revision)


def installed(root: Path | None = None) -> tuple[Installed, ...]:
    """The models that are complete on this disk. Cheap: looks at names and sizes only."""
    return tuple(
        Installed(model.name, _folder(model, root), model.size_bytes, model.revision)
        for model in MODELS
        if not missing(model, _folder(model, root))
    )


def is_installed(name: str, root: Path | None = None) -> bool:
    """Whether all of the model's files are here."""
    model = describe(name)
    return not missing(model, _folder(model, root))


def remove(name: str, root: Path | None = None) -> int:
    """Deletes the model's files but those that another installed model shares; returns the bytes set free."""
    model = describe(name)
    folder = _folder(model, root)
    if not folder.is_dir():
        return 0
    with file_lock(folder / LOCK_NAME):
        shared = {
            file.name
            for other in MODELS
            if other.name != name and other.folder == model.folder and is_here(other.weights, folder)
            for file in other.files
        }
        paths = [folder / file.name for file in model.files if file.name not in shared]
        return sum(_delete(path) for path in [*paths, *map(part_of, paths)])


def _folder(model: Model, root: Path | None) -> Path:
    return (root or default_root()) / model.folder


def _delete(path: Path) -> int:
    if not path.is_file():
        return 0
    size = path.stat().st_size
    path.unlink()
    return size


def _silent(done_bytes: int, total_bytes: int, what: str) -> None:
    """Progress for nobody."""
