"""Whatever comes in, what comes out is a spec or InvalidSpec: never another error."""

from __future__ import annotations

import contextlib
import copy
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpujob.errors import InvalidSpec
from gpujob.specs import kinds, parse_object, parse_spec_bytes, parse_specs
from gpujob.specs.inputs.chat import Chat
from gpujob.specs.inputs.echo import Echo
from gpujob.specs.inputs.image import Image
from gpujob.specs.inputs.narrate import Narration, Step
from gpujob.specs.inputs.video import Trim
from gpujob.specs.sentences import accepted_names
from gpujob.specs.yaml_text import read_yaml
from tests.unit.specs.saying import EXAMPLES

ODD = [
    None,
    True,
    0,
    -1,
    10**30,
    1e999,
    0.5,
    "",
    " ",
    "x",
    "\0",
    "é" * 300,
    "../x",
    "1h",
    [],
    [None],
    {},
    {"": 1},
    [[]],
    [{}],
]
FIELDS = sorted({name for model in (Chat, Echo, Image, Narration, Step, Trim) for name in accepted_names(model)})
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["af_sky", "2s", "8GB", "trim"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
SPECS = [next(iter(read_yaml(path.read_text()))).value for path in sorted((EXAMPLES / "valid").iterdir())]


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["s.json", "s.yaml", "s.jsonl", "-"]))
def test_any_text(text, source):
    with contextlib.suppress(InvalidSpec):
        parse_specs(text, source=source)


@settings(deadline=None)
@given(st.text(alphabet="{}[]:,-&*!|>'\"%@`#?\n\t ab1\\", max_size=60))
def test_any_punctuation(text):
    with contextlib.suppress(InvalidSpec):
        parse_specs(text, source="-")


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes(data):
    with contextlib.suppress(InvalidSpec):
        parse_spec_bytes(data, source="s")


@settings(deadline=None)
@given(st.sampled_from(kinds()), VALUES)
def test_any_input(kind, value):
    with contextlib.suppress(InvalidSpec):
        parse_object({"kind": kind, "input": value})


@settings(deadline=None)
@given(VALUES)
def test_any_value_of_any_field_of_the_envelope(value):
    for name in (
        "version",
        "title",
        "labels",
        "priority",
        "timeout",
        "retry",
        "requires",
        "files",
        "secrets",
        "metadata",
        "cache",
    ):
        with contextlib.suppress(InvalidSpec):
            parse_object({"kind": "echo", "input": {}, name: value})


@pytest.mark.parametrize("seed", range(20))
def test_examples_with_parts_replaced(seed):
    """Each mutant is accepted or told in sentences; an accepted one has a canonical form that is JSON."""
    rng = random.Random(seed)
    for _ in range(20):
        mutant = copy.deepcopy(rng.choice(SPECS))
        _replace_a_part(mutant, rng)
        specs, problems = _read(json.dumps(mutant))
        assert specs or problems
        assert all(problem.line >= 1 and problem.message for problem in problems)
        for spec in specs:
            assert parse_object(json.loads(json.dumps(spec.canonical(), allow_nan=False))).input == spec.input


def _read(text):
    """The specs of a text, or what is told about it."""
    try:
        return parse_specs(text, source="s.json"), ()
    except InvalidSpec as error:
        return [], error.problems


def _replace_a_part(value, rng):
    """Walks down at random and puts something odd in the place it ends at."""
    while True:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            value[key] = rng.choice(ODD)
            return
        value = inner
