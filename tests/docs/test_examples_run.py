"""Every example in the docs runs: Python blocks in the order of their page, and the shell blocks that are marked to run.

Invariant: what a page shows is run as it stands there, on queues in a folder of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpujob import models
from gpujob.specs import parse_specs
from tests.docs.pages import Block, Page, every_page
from tests.sizing import require_or_skip

PAGES = every_page()
SPEAKS = ("gpujob tts", "gpujob demo", "kind: tts.narrate")
HOMES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


def has_commands(page: Page) -> bool:
    return any(block.comment == "runs" for block in page.blocks)


def params(pages: list[Page]) -> list[object]:
    return [pytest.param(page, id=page.name) for page in pages]


@pytest.mark.parametrize("page", params([page for page in PAGES if page.python]))
def test_python_blocks_run(page: Page, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    script = tmp_path / f"{page.path.stem}.py"
    script.write_text(as_script(page), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, script], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{page.name}: the line numbers are those of the page\n{ended.stderr}"


def as_script(page: Page) -> str:
    """The page's Python as one script, each line where it stands on the page."""
    lines: list[str] = []
    for block in page.python:
        lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", params([page for page in PAGES if has_commands(page)]))
def test_shell_blocks_run(page: Page, tmp_path: Path) -> None:
    shown = [block.text for block in page.blocks if block.comment]
    if any(word in text for word in SPEAKS for text in shown):
        require_or_skip("kokoro", "gpujob models pull kokoro", there=bool(models.installed()))
    write_files(page, tmp_path)
    for block in page.blocks:
        if block.comment == "runs":
            run_lines(page, block, tmp_path)


def test_readme_shows_commands_and_python_that_run() -> None:
    (readme,) = [page for page in PAGES if page.name == "README.md"]
    assert has_commands(readme) and readme.python


def test_every_spec_shown_is_valid() -> None:
    shown = [(page, block) for page in PAGES for block in page.blocks if is_spec(block)]
    assert len(shown) >= 8
    for page, block in shown:
        parse_specs(block.text, source=f"{page.name}:{block.line}")


def is_spec(block: Block) -> bool:
    first = block.text.lstrip("{ \n")
    return block.language in ("yaml", "json") and first.startswith(
        ("kind:", "version:", '"kind"', '"version"', '"tool"', '"voice"')
    )


def write_files(page: Page, folder: Path) -> None:
    for block in page.blocks:
        if block.file:
            (folder / block.file).write_text(block.text + "\n", encoding="utf-8")


def run_lines(page: Page, block: Block, folder: Path) -> None:
    """Runs the lines of a block one by one; each must succeed."""
    homes = {name: str(folder / ".home" / name.lower()) for name in HOMES}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        ended = subprocess.run(
            ["bash", "-c", line],
            check=False,
            cwd=folder,
            env=os.environ | homes | {"PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, f"{page.name}:{number}: `{line}` ended with {ended.returncode}:\n{ended.stderr}"
