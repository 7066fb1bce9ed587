"""Makes a notebook of the cells in `worker.py`: JSON in version 4.5 of Jupyter's format, without a library.

Invariant: the same cells and values give the same bytes; a value goes into the form field of its name and nowhere else.
Source of the format: https://nbformat.readthedocs.io/en/latest/format_description.html; of the cells' marks: the
percent format of Jupytext; of the fields: Colab's forms (`# @param`).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from gpujob.errors import InvalidSpec

CELL = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)

Value = str | bool


def worker_notebook(values: Mapping[str, Value] | None = None) -> str:
    """The worker's notebook as text, with these values in its form. Raises InvalidSpec for a field that it has not."""
    text = resources.files(__package__).joinpath("worker.py").read_text(encoding="utf-8")
    return as_notebook(filled(text, values or {}))


def filled(text: str, values: Mapping[str, Value]) -> str:
    """The cells with other values in the form fields of these names."""
    for name, value in values.items():
        text = _with(text, name, value)
    return text


def as_notebook(text: str) -> str:
    """Cells in the percent format as a notebook."""
    _, *parts = CELL.split(text)
    cells = [
        _cell(f"cell-{n}", bool(mark), body) for n, (mark, body) in enumerate(zip(parts[::2], parts[1::2], strict=True))
    ]
    notebook = {
        "cells": cells,
        "metadata": {
            "accelerator": "GPU",
            "colab": {"gpuType": "T4", "name": "worker.ipynb", "provenance": []},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _with(text: str, name: str, value: Value) -> str:
    field = re.compile(rf"^{re.escape(name)} = .+?(  # @param .+)$", re.MULTILINE)
    shown = json.dumps(value) if isinstance(value, str) else repr(value)
    text, found = field.subn(lambda match: f"{name} = {shown}{match[1]}", text)
    if found != 1:
        raise InvalidSpec(f"the notebook has no field {name}")
    return text


def _cell(identity: str, markdown: bool, body: str) -> dict[str, Any]:
    if markdown:
        source = str(ast.literal_eval(body.strip())).strip()
        return {"cell_type": "markdown", "id": identity, "metadata": {}, "source": source.splitlines(keepends=True)}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": identity,
        "metadata": {"cellView": "form"},
        "outputs": [],
        "source": body.strip().splitlines(keepends=True),
    }
