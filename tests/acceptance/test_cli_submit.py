"""`gpujob submit`: what is refused, what is printed, and that nothing is written before everything is valid."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gpujob import open_store

from .command_line import Person

INVALID = Path(__file__).parents[2] / "examples" / "specs" / "invalid"
ECHO = {"kind": "echo", "input": {"message": "hi"}}


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def expected() -> dict[str, str]:
    """What EXPECTED.md says each invalid example must be told: the path, by file."""
    rows = re.findall(
        r"^\| (\S+\.json) \| ([^:|]+):", (INVALID / "EXPECTED.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(rows)


def test_each_invalid_example_gets_its_sentence_and_nothing_is_written(person: Person) -> None:
    wanted = expected()
    files = sorted(INVALID.glob("*.json"))
    assert {path.name for path in files} == set(wanted) and len(files) >= 12
    done = person.run("submit", *files)
    assert (done.code, done.out) == (2, "")
    for path in files:
        assert re.search(
            rf"^{re.escape(str(path))}:\d+:\d+: {re.escape(wanted[path.name])}: ", done.err, re.MULTILINE
        ), path
    assert not (person.home / ".local" / "share").exists()


def test_one_bad_spec_among_good_ones_stops_all(person: Person) -> None:
    good, bad = person.write("good.json", ECHO), person.write("bad.json", {"kind": "echo", "input": {"massage": 1}})
    done = person.run("submit", good, bad, "--json")
    assert done.code == 2 and done.out == ""
    assert done.error["problems"][0]["path"] == "input.massage"
    assert "message" in done.error["problems"][0]["suggestion"]
    assert not (person.home / ".local" / "share").exists()


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["submit"], 2, "SPEC"),
        (["submit", "nope.json"], 2, "there is no file nope.json"),
        (["submit", "good.json", "--priority", "urgent"], 2, "priority"),
        (["submit", "good.json", "--timeout", "soon"], 2, "timeout"),
        (["submit", "good.json", "--label", "x"], 2, "NAME=VALUE"),
        (["submit", "good.json", "-o", "out"], 2, "-o needs --wait"),
        (["submit", "good.json", "good.json", "--idempotency-key", "k"], 2, "there are 2 specs"),
        (["submit", "good.json", "--fallback", "remote"], 2, "fallback: one of none, local"),
        (["submit", "good.json", "--store", "ftp://x"], 3, "--store"),
        (["submit", "good.json", "--store", "memory://"], 3, "would be gone with this command"),
        (["submit", "good.json", "--store", "file:/x"], 3, "begins with file://"),
        (["submit", "good.json", "--profile", "lab"], 3, "no profile 'lab'"),
        (["submit", "good.json", "--wait", "-o", "good.json/out"], 6, "not a folder"),
        (["sumbit"], 2, "Did you mean 'submit'"),
        (["submit", "file.json"], 2, "there is no file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_refused(person: Person, args: list[str], code: int, said: str) -> None:
    person.write("good.json", ECHO)
    person.write("file.json", {**ECHO, "files": [{"name": "in.mp4", "source": "./absent.mp4"}]})
    done = person.run(*args)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    queued = list((person.home / ".local" / "share").rglob("pending/*/*"))
    assert queued == []


def test_ids_are_the_answer_and_flags_beat_the_spec(person: Person) -> None:
    text = (
        '{"kind": "echo", "input": {"message": 1}, "labels": {"a": "1"}}\n{"kind": "echo", "input": {"message": 2}}\n'
    )
    done = person.run(
        "submit", "-", "--priority", "high", "--label", "b=2", "--title", "T", "--timeout", "5s", stdin=text
    )
    assert done.code == 0 and len(done.lines) == 2
    store = open_store(person.store)
    first, second = (store.status(job_id).manifest for job_id in done.lines)
    assert first is not None and second is not None
    assert (first.priority, first.labels, first.title, first.timeout_s) == ("high", {"a": "1", "b": "2"}, "T", 5.0)
    assert second.labels == {"b": "2"}
    assert "@" in first.submitted_by


def test_an_idempotency_key_stands_for_one_spec(person: Person) -> None:
    person.write("one.json", {**ECHO, "idempotency_key": "intro-v3"})
    person.write("two.json", {"kind": "echo", "input": {"message": "other"}, "idempotency_key": "intro-v3"})
    first = person.run("submit", "one.json", "--json")
    again = person.run("submit", "one.json", "--json")
    assert again.objects[0]["id"] == first.objects[0]["id"]
    assert (first.objects[0]["already"], again.objects[0]["already"]) == (False, True)
    other = person.run("submit", "two.json", "--json")
    assert (other.code, other.error["type"]) == (5, "Conflict")
    assert first.objects[0]["id"] in other.error["message"]


def test_a_full_queue_refuses_more(person: Person) -> None:
    person.write("one.json", ECHO)
    assert person.run("submit", "one.json", "one.json", GPUJOB_MAX_PENDING="2").code == 0
    refused = person.run("submit", "one.json", GPU_MAX_PENDING_JOBS="2")
    assert refused.code == 5 and "2 jobs wait already" in refused.err
    assert refused.err.count("GPUJOB_MAX_PENDING.") == 1  # the old name's notice


def test_a_dry_run_submits_nothing(person: Person) -> None:
    person.write("one.json", ECHO)
    done = person.run("submit", "one.json", "--dry-run", "--json")
    assert done.code == 0 and done.objects[0]["kind"] == "echo" and done.objects[0]["timeout"] == 900.0
    assert person.run("submit", "one.json", "--dry-run", "-q").out == "one.json\n"  # ids or paths only
    assert not (person.home / ".local" / "share").exists()


def test_a_store_that_cannot_be_reached_is_4_and_names_the_way_on(person: Person) -> None:
    person.write("one.json", ECHO)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    done = person.run("submit", "one.json", "--store", "s3://queue", "--json", **keys)
    assert done.code == 4 and done.error["exit_code"] == 4
    assert done.error["hint"]


def test_without_credentials_it_is_3(person: Person) -> None:
    person.write("one.json", ECHO)
    done = person.run("submit", "one.json", "--store", "s3://queue", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    assert done.code == 3 and "credentials" in done.err.lower()


def test_two_specs_under_one_key_were_valid_and_then_half_submitted(person: Person) -> None:
    one = ECHO | {"idempotency_key": "k"}
    differing = person.write(
        "two.jsonl", "".join(json.dumps(one | {"priority": word}) + "\n" for word in ("low", "high"))
    )
    for command in (["validate"], ["submit", "--dry-run"], ["submit"]):
        done = person.run(*command, differing)
        assert (done.code, done.out) == (2, ""), command
        assert "idempotency_key: 'k' is the key of spec 1 already, from which spec 2 differs" in done.err
    assert not (person.home / ".local" / "share").exists()
    assert person.run("submit", "--dry-run", differing, "--priority", "low").code == 0
    same = person.write("same.jsonl", (json.dumps(one) + "\n") * 2)
    assert len(set(person.run("submit", same).lines)) == 1
