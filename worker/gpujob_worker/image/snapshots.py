"""What belongs to a diffusers model: the files to fetch, whether all are here, and what identifies a folder.

Invariant: the only weights that are ever chosen are safetensors; pickled weights could run code.
The layout is that of `DiffusionPipeline.save_pretrained`: `model_index.json` names the parts, each a folder of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from gpujob.errors import JobFailed

INDEX = "model_index.json"
_CONFIGURATION = (".json", ".txt", ".model", ".jinja")  # of schedulers, tokenizers and models; never code
_WEIGHTS = re.compile(r"(?P<stem>[^.]+?)(?P<half>\.fp16)?(-\d+-of-(?P<parts>\d+))?\.safetensors")
_CHUNK_BYTES = 1 << 20


def parts_of(index: Mapping[str, Any]) -> list[str]:
    """The folders that `model_index.json` names; a part that the model leaves out is null there."""
    return [name for name, value in index.items() if isinstance(value, list) and value and value[0] is not None]


def files_to_fetch(index: Mapping[str, Any], names: Collection[str], *, half: bool) -> list[str]:
    """Of all the files of a model, those that are needed. With `half`, weights saved in half precision where there are any.

    Raises JobFailed(model_not_found) for a model some of whose weights are pickled only.
    """
    chosen = [INDEX]
    for part in parts_of(index):
        inside = [name for name in names if str(PurePosixPath(name).parent) == part]
        chosen += [name for name in inside if name.endswith(_CONFIGURATION)]
        weights = _preferred(_weights(inside), half=half)
        if not weights and any(name.endswith((".bin", ".pt", ".ckpt", ".msgpack")) for name in inside):
            raise JobFailed(
                f"the weights of {part} are not saved as safetensors; gpujob loads no others, since they could run code",
                type="model_not_found",
                retryable=False,
                hint="Choose a model or a revision with safetensors weights.",
            )
        chosen += weights
    return sorted(chosen)


def has_half(folder: Path) -> bool:
    """Whether some weights in the folder are saved in half precision under a name of their own."""
    return any(_weights([path.name])[True] for path in folder.glob("*/*.safetensors"))


def needs_half(folder: Path) -> bool:
    """Whether some weights in the folder are there in half precision only."""
    found = [_weights([file.name for file in part.iterdir()]) for part in folder.iterdir() if part.is_dir()]
    return any(weights[True] and not weights[False] for weights in found)


def missing_parts(folder: Path) -> list[str]:
    """The parts of a model that are not all here, such as after a fetch that broke off; all of it is `model_index.json`."""
    index = read_json(folder / INDEX)
    if not index:
        return [INDEX]
    return [part for part in parts_of(index) if not _is_whole(folder / part)]


def wants_bfloat16(folder: Path) -> bool:
    """Whether a part was saved in bfloat16, whose range half precision does not have."""
    configs = (read_json(path) for path in folder.glob("*/config.json"))
    return any("bfloat16" in str(config.get("dtype") or config.get("torch_dtype")) for config in configs)


def identity(folder: Path) -> str:
    """What the folder holds, as `sha256:` and 16 digits: over the names and bytes of configuration and weights."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.endswith((*_CONFIGURATION, ".safetensors")):
            total.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    total.update(chunk)
    return f"sha256:{total.hexdigest()[:16]}"


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is no file or no object in it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _weights(names: Iterable[str]) -> dict[bool, list[str]]:
    """The safetensors by whether they are saved in half precision; other variants belong to neither."""
    found: dict[bool, list[str]] = {False: [], True: []}
    for name in names:
        if match := _WEIGHTS.fullmatch(PurePosixPath(name).name):
            found[match["half"] is not None].append(name)
    return found


def _preferred(found: Mapping[bool, list[str]], *, half: bool) -> list[str]:
    return found[half] or found[not half]


def _is_whole(part: Path) -> bool:
    try:
        names = [path.name for path in part.iterdir()]
    except (OSError, ValueError):  # no folder, or what no folder can be called
        return False
    if "config.json" not in names:  # a scheduler or a tokenizer has no weights
        return bool(names)
    return any(weights and len(weights) >= _expected(weights) for weights in _weights(names).values())


def _expected(weights: Iterable[str]) -> int:
    matches = (_WEIGHTS.fullmatch(name) for name in weights)
    return max(int(match["parts"] or 1) for match in matches if match)
