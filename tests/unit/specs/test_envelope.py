"""What the envelope refuses and warns of."""

from __future__ import annotations

import pytest

from gpujob.specs import parse_object
from tests.unit.specs.saying import only, told

ECHO = {"kind": "echo", "input": {}}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"version": 2}, "version: this gpujob reads specs of version 1, not 2"),
        ({"version": True}, "version: must be a whole number, not true"),
        ({"kind": None}, "kind: missing, one of tts.narrate"),
        ({"kind": 5}, "kind: must be text, not a number"),
        ({"kind": "narrate"}, 'kind: unknown, did you mean "tts.narrate"?'),
        ({"kind": "acme.upscale"}, "kind: unknown, --allow-unknown-kind"),
        ({"kind": "../etc"}, "kind: characters"),
        ({"input": None}, "input: must be a mapping, not null"),
        ({"input": []}, "input: must be a mapping, not a list"),
        ({"title": "a\x1b[31m"}, "title: one line of text without control characters"),
        ({"title": 5}, "title: must be text, not a number"),
        ({"labels": {"a": 5}}, "labels.a: must be text, not a number"),
        ({"labels": {"a b": "x"}}, 'labels["a b"]'),
        ({"timeout": 0}, "timeout: above 0"),
        ({"ttl": True}, "ttl: not a duration"),
        ({"retry": {"max_atempts": 3}}, 'retry.max_atempts: unknown field, did you mean "max_attempts"?'),
        ({"retry": {"max_attempts": 0}}, "retry.max_attempts: at least 1"),
        ({"retry": {"backoff": {"initial": "5m"}}}, "retry.backoff.max: must not be shorter than initial"),
        ({"requires": {"gpu_memory": "lots"}}, "requires.gpu_memory: 'lots' is not a size, write it like 8GB"),
        ({"cache": False}, "cache: one of auto, refresh, off"),
        ({"idempotency_key": "0" * 26}, "idempotency_key: has the form of a job's id"),
        ({"idempotency_key": "Intro"}, "idempotency_key: characters"),
        ({"secrets": "HF_TOKEN"}, "secrets: must be a list, not text"),
        ({"secrets": [5]}, "secrets[0]: must be text, not a number"),
        ({"prioritty": "high"}, 'prioritty: unknown field, did you mean "priority"?'),
        ({"files": [{"name": "a"}, {"name": "A"}]}, 'files[1].name: duplicate of "a" but for its spelling'),
        ({"files": [{"name": "a"}, {"name": "a/b"}]}, "files[1].name: one name is a folder of another"),
        (
            {"files": [{"name": "a", "source": "https://x/y"}]},
            "files[0].source: a path on this machine, not an address",
        ),
    ],
)
def test_what_is_wrong_is_told_once_with_its_path(fields, sentence):
    (said,) = told({**ECHO, **fields})
    assert said.startswith(sentence)


@pytest.mark.parametrize(
    "name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "a\\b", "c:x", "a\nb", "x" * 201, "a\x00", "a\u200e"]
)
def test_a_file_s_name_stays_in_its_folder(name):
    (said,) = told({**ECHO, "files": [{"name": name}]})
    assert said.startswith("files[0].name: ")


def test_a_key_of_26_characters_that_is_no_id_is_accepted():
    assert parse_object({**ECHO, "idempotency_key": "u" * 26}).idempotency_key == "u" * 26
    assert only("kind: echo\ninput: {}\nidempotency_key: intro-v3").idempotency_key == "intro-v3"


def test_what_has_no_effect_is_warned_of():
    spec = parse_object({**ECHO, "timeout": "2h", "ttl": "1h", "fallback_after": "1m"})
    assert spec.warnings == (
        "timeout: longer than ttl, which ends the job first",
        "fallback_after: has no effect without fallback: local",
    )
    assert parse_object(ECHO).warnings == ()


def test_kinds_of_plug_ins_are_let_through():
    job = {"kind": "acme.upscale", "input": {"anything": [1]}}
    assert parse_object(job, allow_unknown_kind=True).input == {"anything": [1]}
    assert parse_object(job, known_kinds=["acme.upscale"]).kind == "acme.upscale"
    (said,) = told({"kind": "tts.narate", "input": {}})
    assert said.endswith('did you mean "tts.narrate"?')
