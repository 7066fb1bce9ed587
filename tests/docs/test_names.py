"""What the docs name exists: links, files, modules, commands, flags, settings, and the sentences that errors are made of.

Invariant: a page that names something which was renamed or removed fails here, with the page and the name.
"""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from typing import Any

import pytest

from gpujob.settings import NOT_YET, OLD_NAMES, Settings
from tests.docs.pages import ROOT, Page, every_page, read
from tests.docs.test_generated import GENERATOR
from tests.simulation.variants import VARIANTS

PAGES = every_page()
SHELLS = ("sh", "console", "bash")
FOLDERS = "jobstore|worker|cli|colab|localstack|benchmarks|docs|examples|tests|scripts"
GROUPS = {"worker", "models", "keys"}
OUTSIDE = {"GPUJOB_GCS_ENDPOINT", "GPUJOB_TEST_SIZE", "GPUJOB_REQUIRE", "GPUJOB_CACHE_DIR", "GPUJOB_PROFILE"}

each_page = pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])


@each_page
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in read(target).anchors, f"{page.name}: {link}: no such heading"


@each_page
def test_files_that_are_named_exist(page: Page) -> None:
    for text in page.inline:
        if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]+", text) and not text.endswith("/out"):
            assert list(ROOT.glob(text.rstrip("/"))), f"{page.name}: there is no {text}"


@each_page
def test_modules_that_are_named_exist(page: Page) -> None:
    for text in page.inline:
        if re.fullmatch(r"gpujob(?:_worker|_cli)?(?:\.\w+)+(?:\(\))?", text) and text not in (
            "gpujob.toml",
            "gpujob.executors",
            "gpujob.kinds",
        ):
            assert found(text.removesuffix("()")), f"{page.name}: there is no {text}"


def found(dotted: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            thing = getattr(thing, name, None)
        return thing is not None
    return False


@each_page
def test_commands_and_flags_that_are_named_exist(page: Page) -> None:
    lines = [line for block in page.blocks if block.language in SHELLS for line in block.text.splitlines()]
    for text in [*page.inline, *lines]:
        for words in re.findall(r"(?:^!?|[|(] *|exec |xargs )gpujob((?: [^|;&)#\n]+)?)", text):
            problem = wrong_with(words.split())
            assert not problem, f"{page.name}: `{text}`: {problem}"
        if text.startswith("--") and text.split("=")[0].split()[0] not in every_flag():
            pytest.fail(f"{page.name}: no command has {text}")


def wrong_with(words: list[str]) -> str:
    """What is wrong with a command line of ours, empty if nothing."""
    if not words or not re.fullmatch(r"[a-z]+", words[0]):
        return ""
    name = " ".join(words[:2]) if words[0] in GROUPS and words[1:] else words[0]
    if name in GROUPS:
        return ""
    command = commands().get(name)
    if command is None:
        return f"there is no command {name}"
    known = {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known]
    return f"{name} has no {', '.join(unknown)}" if unknown else ""


@cache
def commands() -> dict[str, Any]:
    return GENERATOR.every_command()  # type: ignore[no-any-return]


@cache
def every_flag() -> set[str]:
    flags = {
        flag
        for command in commands().values()
        for param in command.params
        for flag in (*param.opts, *param.secondary_opts)
    }
    return flags | {"--help", "--version"}


def test_commands_that_do_not_exist_are_found() -> None:
    assert wrong_with(["sumbit", "x.json"]) == "there is no command sumbit"
    assert wrong_with(["submit", "x.json", "--wiat"]) == "submit has no --wiat"
    assert wrong_with(["worker", "run", "--once", "--gpus", "0"]) == "worker run has no --gpus"
    assert not wrong_with(["submit", "x.json", "--wait", "-o", "out/"])


@each_page
def test_variables_that_are_named_exist(page: Page) -> None:
    known = {f"GPUJOB_{name.upper()}" for name in Settings.model_fields} | set(OLD_NAMES) | set(NOT_YET) | OUTSIDE
    for name in re.findall(r"\bGPUJOB_[A-Z_]+\b", page.path.read_text(encoding="utf-8")):
        assert name in known, f"{page.name}: there is no setting {name}"


def test_every_way_to_break_the_protocol_is_listed() -> None:
    page = read(ROOT / "docs" / "protocol.md")
    listed = re.findall(r"^\| `([a-z-]+)` \|", page.prose, re.MULTILINE)
    assert listed == list(VARIANTS)


def test_every_sentence_in_troubleshooting_is_one_that_the_program_says() -> None:
    page = read(ROOT / "docs" / "troubleshooting.md")
    quoted = re.findall(r"^\| `([^`]+)` \|", page.prose, re.MULTILINE)
    assert len(quoted) >= 20
    unknown = [text for text in quoted if not is_said(text)]
    assert not unknown, f"nothing in the code says: {unknown}"


def is_said(quoted: str) -> bool:
    """Whether some text in the code holds the quoted words; `...` stands for whatever is filled in."""
    pattern = re.compile(".*".join(map(re.escape, quoted.replace("\\|", "|").split("..."))), re.DOTALL)
    return any(pattern.search(text) for text in texts_in_the_code())


@cache
def texts_in_the_code() -> tuple[str, ...]:
    files = [path for folder in ("jobstore", "worker", "cli") for path in (ROOT / folder).rglob("*.py")]
    return tuple(text for path in files for text in texts_in(ast.parse(path.read_text(encoding="utf-8"))))


def texts_in(tree: ast.AST) -> list[str]:
    return [text for node in ast.walk(tree) if (text := as_text(node))]


def as_text(node: ast.AST) -> str:
    """A text of the code, with a space where an expression stands in it."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(as_text(part) or "\x00" for part in node.values)
    return ""


def test_sentences_are_matched_with_care() -> None:
    assert is_said("there is no model ...") and not is_said("there is no modle ...")
    assert is_said("holds no queue yet") and not is_said("... holds no queue any more")
