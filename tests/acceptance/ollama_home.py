"""Homes for real Ollama daemons: folders of their own, with the small model of the tests in them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from localstack import ollama_ready
from localstack.programs import HOW, cache, find

from tests.sizing import require_or_skip

MODEL = "smollm2:135m"
PATIENCE_S = 60.0
NOBODY = "127.0.0.1:9"  # an OLLAMA_HOST where no daemon answers


def program() -> Path:
    """The `ollama` of the tests; skips where there is none."""
    require_or_skip("ollama", HOW["ollama"], there=ollama_ready.there())
    found = find("ollama")
    assert found is not None
    return found


@contextmanager
def home(folder: Path) -> Iterator[Path]:
    """For the length of the block, daemons that are started live in `folder`; gives their model folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPUJOB_CACHE_DIR", str(cache()))  # the programs stay where they are
        patch.setenv("HOME", str(folder))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("OLLAMA_MODELS", str(folder / "models"))
        patch.setenv("OLLAMA_HOST", NOBODY)
        patch.setenv("OLLAMA_NUM_PARALLEL", "1")
        yield folder / "models"


def create_model(url: str) -> None:
    """Puts the small model into the daemon at `url`, as a person would."""
    modelfile = Path(os.environ["HOME"]) / "Modelfile"
    modelfile.write_text(f"FROM {ollama_ready.weights()}\nPARAMETER num_thread 1\n")  # two spin on a busy machine
    command = [str(program()), "create", MODEL, "-f", str(modelfile)]
    subprocess.run(command, env={**os.environ, "OLLAMA_HOST": url}, check=True, capture_output=True, timeout=PATIENCE_S)


def wait_until(happened: Callable[[], bool], what: str) -> None:
    """Returns as soon as it has happened."""
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.02)
