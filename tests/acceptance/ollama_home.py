"""Homes for real Ollama daemons: folders of their own, with the small model of the tests in them."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from localstack import ollama_ready
from localstack.programs import HOW, cache, find

from gpujob.clock import SYSTEM
from tests.sizing import require_or_skip

MODEL = "smollm2:135m"
PATIENCE_S = 100.0
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


def look_until(happened: Callable[[], bool], what: str) -> None:
    """Returns as soon as it has happened, for what nobody tells: the daemon's own files are the only sign."""
    until_s = SYSTEM.elapsed() + PATIENCE_S
    while not happened():
        assert SYSTEM.elapsed() < until_s, f"never happened: {what}"
        SYSTEM.sleep(0.02)


@contextmanager
def seen_to_end(pids: Iterable[int]) -> Iterator[None]:
    """Processes that have to end within the block, or soon after it."""
    handles = [os.pidfd_open(pid) for pid in pids]
    yield
    for handle in handles:
        assert select.select([handle], [], [], PATIENCE_S)[0], "it still runs"
        os.close(handle)
