"""Writes `colab/worker.ipynb`, the notebook with an empty form. `gpujob worker notebook` writes one that is filled in."""

from __future__ import annotations

from pathlib import Path

from gpujob_cli.notebooks.building import worker_notebook

PLACE = Path(__file__).with_name("worker.ipynb")

if __name__ == "__main__":
    PLACE.write_text(worker_notebook(), encoding="utf-8")
