"""Nothing in the packages turns bytes into code: no pickle in any of its dresses, no eval, no loader that runs what it reads.

Invariant: the rule is held over every module's syntax tree, so a word in a comment or a string is no offence.
"""

from __future__ import annotations

import ast

import pytest

from tests.tidy.test_tidy import PACKAGES, modules, tree

MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle", "code"}
CALLS = {"eval", "exec", "compile", "__import__"}
# (what it is called on, its name): loaders that run code unless they are told not to.
METHODS = {
    ("torch", "load"), ("np", "load"), ("numpy", "load"), ("yaml", "load"), ("yaml", "unsafe_load"),
    ("yaml", "full_load"), ("pd", "read_pickle"), ("pandas", "read_pickle"),
}  # fmt: skip
SAFE = "allow_pickle"  # numpy's loader reads arrays alone where this is said to be False
WORDS = {"allow_pickle": True, "trust_remote_code": True, "use_safetensors": False, "weights_only": False}


def offences(source: ast.AST) -> list[str]:
    """What in a module could run what it reads, with its line."""
    return [f"{line}: {what}" for node in ast.walk(source) for line, what in _of(node)]


def _of(node: ast.AST) -> list[tuple[int, str]]:
    if isinstance(node, ast.Import):
        return [(node.lineno, one.name) for one in node.names if one.name.split(".")[0] in MODULES]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] in MODULES:
        return [(node.lineno, str(node.module))]
    if not isinstance(node, ast.Call):
        return []
    safe = any(word.arg == SAFE and _value(word) is False for word in node.keywords)
    found = [(node.lineno, what) for what in _called(node.func) if not (safe and what in ("np.load", "numpy.load"))]
    said = [word for word in node.keywords if word.arg in WORDS and _value(word) is WORDS[word.arg]]
    return found + [(node.lineno, f"{word.arg}={_value(word)}") for word in said]


def _value(word: ast.keyword) -> object:
    return word.value.value if isinstance(word.value, ast.Constant) else None


def _called(function: ast.expr) -> list[str]:
    if isinstance(function, ast.Name):
        return [function.id] if function.id in CALLS else []
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        pair = (function.value.id, function.attr)
        return [".".join(pair)] if pair in METHODS else []
    return []


def test_no_module_turns_bytes_into_code() -> None:
    found = [f"{path}:{what}" for path in modules(*PACKAGES) for what in offences(tree(path))]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from marshal import loads",
        "import torch.nn, shelve",
        "torch.load(path)",
        "numpy.load(path)",
        "yaml.load(text)",
        "array(x, allow_pickle=True)",
        "pipe(x, trust_remote_code=True)",
        "pipe(x, use_safetensors=False)",
        "eval(text)",
        "exec(text)",
        "__import__(name)",
    ],
)
def test_each_way_would_be_seen(line: str) -> None:
    assert len(offences(ast.parse(line))) == 1


def test_a_word_is_no_offence() -> None:
    assert (
        offences(
            ast.parse("text = 'pickle'  # eval\nre.compile(text)\njson.load(stream)\nnp.load(path, allow_pickle=False)")
        )
        == []
    )
