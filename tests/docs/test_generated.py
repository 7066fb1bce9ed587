"""What follows from the code stands in the docs as the code has it now."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gpujob.settings import Settings
from tests.docs.pages import ROOT, every_page


def load_generator() -> ModuleType:
    found = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


GENERATOR = load_generator()


@pytest.mark.parametrize("name", [page.name for page in every_page()])
def test_generated_parts_are_up_to_date(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert GENERATOR.renewed(text) == text, f"{name} is behind the code: run `make docs`"


def test_every_part_is_somewhere() -> None:
    used = {
        name.partition(" ")[0]
        for page in every_page()
        for _, name, _ in GENERATOR.MARKED.findall(page.path.read_text(encoding="utf-8"))
    }
    assert used == set(GENERATOR.PARTS)


def test_a_stale_part_is_found_and_the_rest_left_alone() -> None:
    stale = "before\n<!-- generated: states -->\nold\n<!-- end -->\nafter\n"
    fresh = GENERATOR.renewed(stale)
    assert fresh.startswith("before\n<!-- generated: states -->\n```mermaid") and fresh.endswith(
        "<!-- end -->\nafter\n"
    )
    assert GENERATOR.renewed(fresh) == fresh
    with pytest.raises(KeyError):
        GENERATOR.renewed("<!-- generated: nonsense -->\n<!-- end -->")


def test_every_setting_is_explained() -> None:
    assert list(GENERATOR.SETTINGS) == list(Settings.model_fields)


@pytest.mark.parametrize("words", ["submit", "worker run", "models pull"])
def test_the_docs_say_what_the_help_of_the_program_says(words: str) -> None:
    program = Path(sys.executable).parent / "gpujob"
    environment = os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    printed = subprocess.run(
        [program, *words.split(), "--help"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    told = set(re.findall(r"--[a-z][a-z-]*", printed))
    command = GENERATOR.every_command()[words]
    shown = GENERATOR.describe(words, command)
    general = {"--store", "--profile", "--json", "--quiet", "--help"}
    assert told - general == set(re.findall(r"--[a-z][a-z-]*", shown)) - general
    assert " ".join(command.help.split())[:40] in " ".join(printed.split())
