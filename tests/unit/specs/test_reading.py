"""Text becomes documents: JSON, JSON lines, YAML 1.2 and streams, each with its places; bombs are refused."""

from __future__ import annotations

import json
import sys

import pytest

from gpujob.errors import InvalidSpec
from gpujob.specs import parse_object, parse_spec_bytes, parse_specs
from gpujob.specs.yaml_text import scalar
from tests.unit.specs.saying import narration, only, problems

TRAILING_COMMA = 16 if sys.version_info >= (3, 13) else 17  # Python 3.13 points at the comma, not behind it
ECHO = '{"kind": "echo", "input": {"message": 1}}'


@pytest.mark.parametrize("word", ["off", "on", "yes", "no", "y", "2001-01-01", "1_000", "12:30:45", "0b1", "=", "<<"])
def test_words_that_older_yaml_took_for_something_else_are_text(word):
    assert only(f"kind: echo\ninput: {{message: {word}}}").input["message"] == word


def test_off_is_a_word():
    assert only("kind: echo\ninput: {}\ncache: off").cache == "off"


def test_the_core_schema_of_yaml():
    words = ["null", "~", "", "true", "FALSE", "012", "0o17", "0x1F", "-7", "1e3", ".5", "-.inf", "nulL", "1e", "+"]
    values = [None, None, None, True, False, 12, 15, 31, -7, 1000.0, 0.5, float("-inf"), "nulL", "1e", "+"]
    assert [scalar(word) for word in words] == values
    assert [type(scalar(word)) for word in words] == [type(value) for value in values]


def test_quoted_words_are_text():
    assert only("kind: echo\ninput: {message: ['1', \"true\", '~']}").input["message"] == ["1", "true", "~"]


def test_json_may_be_indented_with_tabs_and_begin_with_a_mark():
    assert only('\ufeff{\n\t"kind":\t"echo",\n\t"input": {}\n}', "s.json").kind == "echo"
    assert only('{\n\t"kind":\t"echo",\n\t"input": {}\n}', "s.yaml").kind == "echo"


def test_content_decides_without_an_ending():
    assert only(ECHO, "-").kind == "echo"
    assert only("{kind: echo, input: {}}", "-").kind == "echo"
    assert only("kind: echo\ninput: {}", "-").kind == "echo"
    assert len(parse_specs(f"{ECHO}\n{ECHO}\n", source="-")) == 2
    assert len(parse_specs(f"{ECHO}\n\n{ECHO}", source="s.json")) == 2


def test_a_yaml_stream_is_several_specs():
    specs = parse_specs(
        "---\nkind: echo\ninput: {message: 1}\n---\nkind: echo\ninput: {message: 2}\n---\n", source="s.yaml"
    )
    assert [spec.input["message"] for spec in specs] == [1, 2]


def test_an_error_on_line_3_of_json_lines_is_told_there_beside_all_others():
    lines = [ECHO, '{"kind": "ecko", "input": {}}', '{"kind": "echo", "input": {"mesage": 1}}', '{"kind": ', ECHO]
    assert problems("\n".join(lines), "jobs.jsonl") == [
        'jobs.jsonl:2:10: kind: unknown, did you mean "echo"?',
        'jobs.jsonl:3:28: input.mesage: unknown field, did you mean "message"?',
        "jobs.jsonl:4:10: not valid JSON: expecting value",
    ]


def test_all_problems_of_all_documents_come_at_once():
    text = "kind: tts.narrate\ninput:\n  speed: 9\n  voise: x\n  steps:\n"
    text += "  - {id: a, narration: ''}\n  - {id: a, narration: x}\n"
    assert problems(f"{text}secrets: [a=b]\npriority: hihg\n---\nkind: echo\ninput: {{}}\nttl: 5x\n") == [
        "s.yaml:3:10: input.speed: at most 2.0",
        's.yaml:4:3: input.voise: unknown field, did you mean "voice"?',
        "s.yaml:6:24: input.steps[0].narration: empty",
        "s.yaml:7:10: input.steps[1].id: duplicate of steps[0], every step needs an id of its own",
        (
            "s.yaml:8:11: secrets[0]: a name, not a value, "
            "write the name of an environment variable of the worker, such as HF_TOKEN"
        ),
        's.yaml:9:11: priority: one of high, normal, low, did you mean "high"?',
        (
            "s.yaml:13:6: ttl: '5x' is not a duration, "
            "write it like 30s, 10m, 2h, 400ms or 1h30m; a bare number is seconds"
        ),
    ]


def test_duplicate_keys_are_refused_in_both_languages():
    assert problems('{"kind": "echo",\n "input": {"message": 1, "\\u006dessage": 2}}', "s.json") == [
        "s.json:2:26: input.message: duplicate key, keep one of the two"
    ]
    assert problems("kind: echo\ninput: {}\nkind: echo") == ["s.yaml:3:1: kind: duplicate key, keep one of the two"]


def test_aliases_are_followed():
    text = "kind: echo\ninput:\n  message: {a: &x [1, 2], b: *x}\n"
    assert only(text).input["message"] == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "s.yaml:1:1: empty: there is no spec in it"),
        ("# nothing\n---\n---\n", "s.yaml:1:1: empty: there is no spec in it"),
        ("- kind: echo\n", "s.yaml:1:1: a spec is a mapping with kind and input, not a list"),
        ("just words", "s.yaml:1:1: a spec is a mapping with kind and input, not text"),
        ("kind: [echo", "s.yaml:1:12: not valid YAML"),
        ("kind: echo\n\tinput: {}", "s.yaml:2:1: not valid YAML"),
        ("kind: echo\ninput: {message: \0}", "s.yaml:2:18: not valid YAML"),
        ("kind: echo\ninput: {message: *x}", "s.yaml:2:18: not valid YAML: the alias *x stands for nothing"),
        ("kind: echo\ninput: &x {message: *x}", "s.yaml:2:21: not valid YAML: the alias *x stands for nothing"),
        (
            "kind: echo\ninput: {message: !!python/object:os.system {}}",
            "s.yaml:2:18: input.message: YAML tags have no meaning",
        ),
        ("kind: echo\ninput: {message: .nan}", "s.yaml:2:18: input.message: must be a finite number"),
        ("kind: echo\ninput: {? [a] : 1}", "s.yaml:2:8: input: keys must be text"),
    ],
)
def test_yaml_that_is_no_spec(text, sentence):
    (said,) = problems(text)
    assert said.startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"kind": "echo",}', f"s.json:1:{TRAILING_COMMA}: not valid JSON: "),
        ('{"kind": "echo"} x', "s.json:1:18: not valid JSON: text after the end of the spec"),
        ("kind: echo", "s.json:1:1: not valid JSON: expecting value"),
        ('[{"kind": "echo"}]', "s.json:1:1: a spec is a mapping with kind and input, not a list"),
        ('{"kind": "echo", "input": {"message": NaN}}', "s.json:1:39: input.message: must be a finite number"),
        ('{"kind": "echo", "input": {"message": 1e999}}', "s.json:1:39: input.message: must be a finite number"),
        ('{"kind": "echo", "input": {"message": "\\u0000"}}', "s.json:1:39: input.message: holds a NUL"),
        ('{"kind": "echo", "input": {"message": "\\ud800"}}', "s.json:1:39: input.message: holds half a character"),
        (
            '{"kind": "echo", "input": {"message": 1' + "0" * 400 + "}}",
            "s.json:1:39: input.message: a whole number of more",
        ),
        ('{"kind": "echo", "input": {"message": 1' + "0" * 5000 + "}}", "s.json:1:1: not valid JSON: "),
        ('{"kind": "echo"\0}', "s.json:1:16: not valid JSON"),
    ],
)
def test_json_that_is_no_spec(text, sentence):
    (said,) = problems(text, "s.json")
    assert said.startswith(sentence)


@pytest.mark.parametrize("source", ["s.json", "s.yaml", "-"])
@pytest.mark.parametrize("opening", ["[", '{"a":', "- ", "{a: "])
def test_deep_nesting_is_refused(opening, source):
    said = problems(opening * 20_000, source)
    assert len(said) == 1
    assert "nested more than 64 levels deep" in said[0] or "not valid JSON" in said[0]


def test_ten_megabytes_are_refused():
    text = json.dumps(narration(steps=[{"id": "a", "narration": "x" * 10_000_000}]))
    assert "too large for a spec: 10,000,0" in problems(text, "s.json")[0]
    assert "too large for YAML" in problems("kind: echo\ninput: {message: " + "x" * 10_000_000 + "}")[0]
    assert "too many values" in problems("[" + "0," * 900_000 + "0]", "s.json")[0]


def test_a_billion_laughs_are_refused():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(
        f"{name}: &{name} [{', '.join(['*' + under] * 9)}]\n"
        for under, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (said,) = problems(bomb)
    assert "too many values for a spec, once every alias is written out" in said


def test_a_spec_of_more_than_256_kib_is_told_to_take_files():
    (said,) = problems(json.dumps(narration(steps=[{"id": "a", "narration": "x" * 262_144}])), "s.json")
    assert said.startswith("s.json:1:1: too large: 262,")
    assert "larger texts travel as files of the job" in said


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"kind: echo\ninput: \xff", "s.yaml:2:8: not UTF-8 (byte 0xff), save the file as UTF-8"),
        ("kind: echo".encode("utf-16"), "s.yaml:1:1: not UTF-8 (byte 0xff), save the file as UTF-8"),
    ],
)
def test_bytes_that_are_not_utf_8_are_told_where(data, sentence):
    with pytest.raises(InvalidSpec) as caught:
        parse_spec_bytes(data, source="s.yaml")
    assert [str(problem) for problem in caught.value.problems] == [sentence]


def test_bytes_with_a_mark_are_read():
    (spec,) = parse_spec_bytes(b"\xef\xbb\xbf" + ECHO.encode(), source="s.json")
    assert spec.kind == "echo"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({1: 2}, "keys must be text"),
        ({1, 2}, "a set is nothing that JSON can say"),
        (b"x", "a bytes is nothing"),
        (..., "a ellipsis"),
    ],
)
def test_a_mapping_of_python_must_be_json(value, sentence):
    with pytest.raises(InvalidSpec, match=f"input.message: {sentence}"):
        parse_object({"kind": "echo", "input": {"message": value}})


def test_a_mapping_that_holds_itself_is_refused():
    endless: dict[str, object] = {}
    endless["again"] = endless
    with pytest.raises(InvalidSpec, match="nested more than 64 levels"):
        parse_object({"kind": "echo", "input": {"message": endless}})


def test_tuples_of_python_are_lists():
    spec = parse_object(narration(subtitles=("srt",)))
    assert spec.input["subtitles"] == ["srt"]
