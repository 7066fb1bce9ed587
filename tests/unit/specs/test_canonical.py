"""A spec's canonical form: every default filled in, a queue's own in place of ours, the spec's above both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpujob.errors import Configuration, InvalidSpec
from gpujob.specs import MAX_SPEC_BYTES, override, parse_object
from tests.unit.specs.saying import narration, only, told

ECHO = {"kind": "echo", "input": {}}


def test_all_defaults_are_filled_in():
    assert parse_object(ECHO).canonical() == {
        "version": 1,
        "kind": "echo",
        "input": {"sleep": 0, "artifacts": []},
        "labels": {},
        "priority": "normal",
        "timeout": 900,
        "ttl": 86_400,
        "retry": {"max_attempts": 3, "backoff": {"initial": 5, "max": 120}},
        "requires": {},
        "files": [],
        "cache": "auto",
        "fallback": "none",
        "fallback_after": 120,
        "secrets": [],
        "metadata": {},
    }


def test_a_spec_beats_the_queue_and_the_queue_beats_us():
    queue = {
        "ttl": "1h",
        "timeout": 60,
        "retry": {"max_attempts": 5, "backoff": {"max": 30}},
        "beat": 1,
        "title": "x",
        "kind": "y",
    }
    plain = parse_object({**ECHO, "timeout": "2m", "retry": {"backoff": {"initial": 1}}}).canonical(queue)
    assert (plain["timeout"], plain["ttl"]) == (120, 3600)
    assert plain["retry"] == {"max_attempts": 5, "backoff": {"initial": 1, "max": 30}}
    assert plain["kind"] == "echo" and "title" not in plain and "beat" not in plain


def test_what_a_spec_says_counts_even_where_it_is_our_default():
    assert parse_object({**ECHO, "ttl": "24h"}).canonical({"ttl": 60})["ttl"] == 86_400


def test_defaults_of_a_queue_that_are_not_valid_are_its_owner_s_affair():
    with pytest.raises(Configuration, match=r"the queue's defaults are not valid: retry\.max_attempts"):
        parse_object(ECHO).canonical({"retry": {"max_attempts": 0}})


def test_the_same_spec_in_other_words_is_the_same_json():
    one = only("kind: tts.narrate\nttl: 1h\ninput: {segments: [{id: a, text: Hi}], lang: en_US, speech_speed: 1}")
    two = parse_object({"ttl": 3600.0, **narration(language="en-us", steps=[{"id": "a", "narration": "Hi"}])})
    assert json.dumps(one.canonical(), sort_keys=True) == json.dumps(two.canonical(), sort_keys=True)


def test_the_canonical_form_is_a_spec_and_its_own_canonical_form():
    spec = parse_object({**narration(voice="bf_emma"), "timeout": 0.5, "requires": {"gpu_memory": "8GB"}})
    plain = json.loads(json.dumps(spec.canonical()))
    assert parse_object(plain).canonical() == plain
    assert plain["requires"] == {"gpu_memory": 8_000_000_000} and plain["timeout"] == 0.5


def test_files_are_names_with_what_is_known_of_them():
    spec = parse_object({**ECHO, "files": [{"name": "in/a.mp4", "source": "./x/a.mp4"}, {"name": "b"}]})
    assert spec.canonical()["files"] == [{"name": "in/a.mp4"}, {"name": "b"}]
    known = {"b": {"sha256": "0f", "bytes": 3}}
    assert spec.canonical(digests=known)["files"] == [{"name": "in/a.mp4"}, {"name": "b", "sha256": "0f", "bytes": 3}]


def test_sources_are_relative_to_the_spec():
    spec = only(
        "kind: echo\ninput: {}\nfiles: [{name: a, source: ../a.bin}, {name: b}, {name: c, source: /c}]", "dir/s.yaml"
    )
    assert spec.sources() == {"a": Path("dir/../a.bin"), "b": Path("dir/b"), "c": Path("/c")}
    assert parse_object({**ECHO, "files": [{"name": "b"}]}).sources() == {"b": Path("b")}


def test_null_inside_a_message_or_metadata_stays():
    spec = parse_object({"kind": "echo", "input": {"message": {"a": None}}, "metadata": {"b": None}})
    assert spec.canonical()["input"]["message"] == {"a": None} and spec.canonical()["metadata"] == {"b": None}


def test_a_spec_just_inside_the_limit_is_accepted():
    room = MAX_SPEC_BYTES - len(json.dumps(parse_object(_message("")).canonical(), separators=(",", ":")))
    assert parse_object(_message("é" * (room // 2))).input["message"]
    assert told(_message("é" * (room // 2 + 1)))[0].startswith("too large: 262,1")


def _message(text: str) -> dict[str, object]:
    return {"kind": "echo", "input": {"message": text}}


def test_a_spec_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        parse_object(ECHO).ttl = 5


def test_flags_override_the_envelope():
    spec = only("kind: echo\ninput: {sleep: 2s}\nttl: 1h\nfallback_after: 5s", "dir/s.yaml")
    changed = override(spec, {"priority": "high", "timeout": "5m", "labels": {"a": "b"}})
    assert (changed.priority, changed.timeout, changed.ttl, changed.labels) == ("high", 300.0, 3600.0, {"a": "b"})
    assert (changed.source, changed.warnings, changed.input) == ("dir/s.yaml", spec.warnings, spec.input)
    assert changed.canonical({"retry": {"max_attempts": 7}})["retry"]["max_attempts"] == 7
    with pytest.raises(InvalidSpec, match='<command line>: priority: one of high, normal, low, did you mean "high"'):
        override(spec, {"priority": "hig"})
