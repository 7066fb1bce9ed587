"""Runs a notebook headless, with a kernel in an environment of its own and a stand-in for what only Colab has."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from scripts import make_venv

from tests.leaks import ALLOWED

SECRETS = """
SECRETS = {secrets!r}

def get(name):
    if name not in SECRETS:
        raise LookupError(f"Secret {{name}} does not exist.")
    return SECRETS[name]
"""
RUNTIME = """
import pathlib

def unassign():
    pathlib.Path({marker!r}).write_text("handed back")
"""
KERNEL = (
    """{{"argv": [{python!r}, "-m", "ipykernel_launcher", "-f", "{{connection_file}}"], "display_name": "Python 3"}}"""
)


class Machine:
    """A machine that a notebook is opened on: an environment, a home, and Colab's modules where it is Colab."""

    def __init__(self, venv: Path, place: Path, *, secrets: dict[str, str] | None = None, kaggle: bool = False) -> None:
        """`secrets` are those of Colab; on `kaggle` its modules are there too, as in Kaggle's own image."""
        self.python = venv / "bin" / "python"
        self.place = place
        self.work = place / "content"
        self.work.mkdir(parents=True)
        self.handed_back = place / "handed-back"
        self.modules = place / ALLOWED
        self._on_kaggle = {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"} if kaggle else {}
        if secrets is not None or kaggle:
            self._make_colab(secrets or {})
        kernel = place / "kernels" / "python3"
        kernel.mkdir(parents=True)
        (kernel / "kernel.json").write_text(KERNEL.format(python=str(self.python)).replace("'", '"'))

    def _make_colab(self, secrets: dict[str, str]) -> None:
        package = self.modules / "google" / "colab"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "userdata.py").write_text(SECRETS.format(secrets=secrets))
        (package / "runtime.py").write_text(RUNTIME.format(marker=str(self.handed_back)))

    def environment(self) -> dict[str, str]:
        """Nothing of the person who runs the tests but the models and pip's cache."""
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        kept = {name: os.environ[name] for name in ("PATH", "GPUJOB_CACHE_DIR", "LANG") if name in os.environ}
        own = {"HOME": str(self.place), "XDG_CACHE_HOME": cache, "PYTHONPATH": str(self.modules)}
        own |= self._on_kaggle
        return kept | own | {"AWS_EC2_METADATA_DISABLED": "true", "IPYTHONDIR": str(self.place / "ipython")}

    def client(self, notebook: nbformat.NotebookNode, **settings: Any) -> NotebookClient:
        """What runs the notebook here; nothing has run yet."""
        specs = KernelSpecManager(kernel_dirs=[str(self.place / "kernels")])
        manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
        resources = {"metadata": {"path": str(self.work)}}
        return NotebookClient(notebook, km=manager, timeout=400, resources=resources, **settings)

    def run(self, client: NotebookClient) -> None:
        """Runs all cells. Raises CellExecutionError for the first that fails."""
        asyncio.run(client.async_execute(env=self.environment()))


def make_environment(folder: Path) -> Path:
    """An environment with a kernel and nothing of gpujob, as a notebook's machine has it."""
    make_venv.make(folder)
    make_venv.install(folder, "ipykernel>=6.29")
    return folder


def opened(path: Path, **values: str) -> nbformat.NotebookNode:
    """A notebook with other values in its form, as a person fills it in."""
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    lines = cell.source.splitlines()
    for name, value in values.items():
        (row,) = [row for row, line in enumerate(lines) if line.startswith(f"{name} = ")]
        lines[row] = f"{name} = {value!r}"
    cell.source = "\n".join(lines)
    return notebook


def printed(notebook: nbformat.NotebookNode) -> str:
    """All that the cells said."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text") or "\n".join(output.get("traceback", ())) for output in outputs)
