"""Every example of the repository is accepted, or refused with its sentence and place."""

from __future__ import annotations

import re

import pytest

from gpujob.specs import parse_specs
from tests.unit.specs.saying import EXAMPLES, problems

VALID = sorted(path for path in (EXAMPLES / "valid").iterdir())
PLACES = {
    "unknown-field.json": (4, 5, 'input.voise: unknown field, did you mean "voice"?'),
    "empty-narration.json": (7, 22, "input.steps[0].narration: empty"),
    "no-steps.json": (3, 12, "input: steps missing"),
    "duplicate-step.json": (10, 15, "input.steps[1].id: duplicate"),
    "step-id-escapes.json": (6, 15, "input.steps[0].id: characters"),
    "unknown-kind.json": (2, 11, 'kind: unknown, did you mean "tts.narrate"?'),
    "no-model.json": (3, 12, "input.model: missing"),
    "no-operations.json": (4, 19, "input.operations: at least one"),
    "file-not-declared.json": (7, 18, "input.operations[0].input: not one of the job's files"),
    "secret-value.json": (8, 5, "secrets[0]: a name, not a value"),
    "too-fast.json": (4, 14, "input.speed: at most 2.0"),
    "language-voice.json": (5, 17, "input.language: does not suit voice jf_alpha (ja)"),
}


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_each_valid_example_is_accepted(path):
    (spec,) = parse_specs(path.read_text(), source=str(path))
    assert spec.canonical()["kind"] == spec.kind


@pytest.mark.parametrize("name", PLACES)
def test_each_invalid_example_is_told_one_thing_at_its_place(name):
    line, column, sentence = PLACES[name]
    (said,) = problems((EXAMPLES / "invalid" / name).read_text(), source=name)
    assert said.startswith(f"{name}:{line}:{column}: {sentence}")


def test_every_invalid_example_is_in_the_table_and_in_expected_md():
    files = {path.name for path in (EXAMPLES / "invalid").glob("*.json")}
    expected = (EXAMPLES / "invalid" / "EXPECTED.md").read_text()
    assert files == set(PLACES) == set(re.findall(r"^\| (\S+\.json) ", expected, re.MULTILINE))


def test_a_secret_is_never_repeated():
    (said,) = problems((EXAMPLES / "invalid" / "secret-value.json").read_text())
    assert "abc" not in said
