"""The JSON Schema that editors read, and the tables of the docs."""

from __future__ import annotations

import json

import jsonschema
import pytest

from gpujob.errors import NotFound
from gpujob.specs import docs_table, json_schema, kinds
from gpujob.specs.yaml_text import read_yaml
from tests.unit.specs.saying import EXAMPLES

OURS = ("tts.narrate", "image.generate", "chat.complete", "video.encode", "echo")
# What needs a look at two places at once is beyond a schema.
BEYOND = {"duplicate-step.json", "file-not-declared.json", "language-voice.json", "unknown-kind.json"}
INVALID = sorted((EXAMPLES / "invalid").glob("*.json"))


def _load(path):
    (document,) = read_yaml(path.read_text())
    return document.value


def _accepts(schema, value):
    return jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize("path", sorted((EXAMPLES / "valid").iterdir()), ids=lambda path: path.name)
def test_the_schema_accepts_each_valid_example(path):
    validator = jsonschema.Draft202012Validator(json_schema())
    assert [error.message for error in validator.iter_errors(_load(path))] == []


@pytest.mark.parametrize("path", [path for path in INVALID if path.name not in BEYOND], ids=lambda path: path.name)
def test_the_schema_refuses_most_invalid_examples(path):
    assert not _accepts(json_schema(), _load(path))


@pytest.mark.parametrize("kind", [None, *OURS])
def test_each_schema_is_a_schema(kind):
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema


def test_a_kind_s_schema_takes_that_kind_alone():
    schema = json_schema("echo")
    assert _accepts(schema, {"kind": "echo", "input": {"sleep": "2s"}, "ttl": 60})
    assert not _accepts(schema, {"kind": "chat.complete", "input": {}})
    assert not _accepts(schema, {"kind": "echo", "input": {"slep": 1}})


def test_aliases_are_in_the_schema():
    schema = json_schema("tts.narrate")
    step = {"id": "a", "text": "x", "lang": "en-us"}
    assert _accepts(
        schema, {"kind": "tts.narrate", "input": {"segments": [step], "speech_speed": 1.5, "lang_code": "a"}}
    )
    assert not _accepts(schema, {"kind": "tts.narrate", "input": {"segments": [{"id": "a"}]}})
    assert _accepts(schema, {"kind": "tts.narrate", "input": {"text": "x", "voice": "af_bella(2)+af_sky"}})
    assert not _accepts(schema, {"kind": "tts.narrate", "input": {"text": "x", "voice": "af_bela"}})


def test_every_field_is_described():
    for name, definition in json_schema()["$defs"].items():
        for field, schema in definition.get("properties", {}).items():
            assert "description" in schema or field in ("type", "tool", "payload", "priority", "factor"), (
                f"{name}.{field}"
            )


def test_an_unknown_kind_has_no_schema():
    with pytest.raises(NotFound) as caught:
        json_schema("ecko")
    assert caught.value.hint == 'did you mean "echo"?'


def test_tables_hold_every_field():
    assert "| `retry.backoff.max` | text or number, such as `30s`, `10m` | `2m` |" in docs_table()
    assert "| `speed` | number, 0.5 to 2.0 | `1.0` |" in docs_table("tts.narrate")
    assert "`type: burn_subtitles`" in docs_table("video.encode")
    assert set(OURS) <= set(kinds())


@pytest.mark.parametrize("kind", [None, *OURS])
def test_every_row_of_a_table_has_four_cells(kind):
    rows = docs_table(kind).strip().split("\n")
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}
