"""`get`, `cancel`, `retry`, `rm`, `gc` and `fsck`, as a person types them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gpujob import keys
from tests.acceptance.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# -- get


def test_get_fetches_verifies_and_keeps(machine: Machine) -> None:
    job = machine.done(files={"audio/a.wav": 100_000, "b.txt": 5})
    first = machine.run("get", job.id, "-o", "out")
    assert (first.code, first.out.split()) == (0, ["out/audio/a.wav", "out/b.txt"])
    assert "2 files, 100 kB, sha256 ok" in first.err
    assert (machine.home / "out/audio/a.wav").stat().st_size == 100_000
    placed = (machine.home / "out/b.txt").stat().st_ino
    again = machine.run("get", job.id, "-o", "out", "-q")
    assert (again.out, again.err) == (first.out, "")
    assert (machine.home / "out/b.txt").stat().st_ino == placed
    assert sorted(os.listdir(machine.home / "out")) == ["audio", "b.txt"]


def test_get_replaces_a_different_file_only_with_force(machine: Machine) -> None:
    job = machine.done(files={"b.txt": 5})
    target = machine.home / "out/b.txt"
    target.parent.mkdir()
    target.write_text("mine")
    ran = machine.run("get", job.id, "-o", "out")
    assert ran.code == 5
    assert "different file" in ran.err and "--force" in ran.err
    assert target.read_text() == "mine"
    assert machine.run("get", job.id, "-o", "out", "--force").code == 0
    assert target.stat().st_size == 5


def test_get_of_several_jobs_gives_each_a_folder(machine: Machine) -> None:
    one, other = machine.done(files={"a": 1}), machine.done(files={"a": 2})
    ran = machine.run("get", one.id, other.id, "-o", "out")
    assert ran.out.split() == [f"out/{one.id}/a", f"out/{other.id}/a"]
    assert machine.run("get", one.id).out.split() == [f"gpujob-out/{one.id}/a"]


def test_get_notices_damage_and_leaves_nothing(machine: Machine) -> None:
    job = machine.done(files={"a.bin": 1000})
    bucket = machine.store().bucket
    (entry,) = [row for row in bucket.list(keys.ARTIFACTS).entries if row.key.endswith("a.bin")]
    bucket.replace(entry.key, b"x" * 1000, entry.version)
    ran = machine.run("get", job.id, "-o", "out", "--json")
    assert ran.code == 106
    assert ran.error["type"] == "ChecksumMismatch" and "a.bin" in ran.error["message"]
    assert os.listdir(machine.home / "out") == []
    bucket.delete(entry.key)
    missing = machine.run("get", job.id, "-o", "out")
    assert missing.code == 106
    assert "missing in the store" in missing.err


def test_get_of_an_unfinished_and_of_a_failed_job(machine: Machine) -> None:
    failed = machine.done(input={"fail": "no"}, retry={"max_attempts": 1})
    waiting = machine.submit()
    ran = machine.run("get", waiting.id)
    assert ran.code == 101
    assert f"gpujob wait {waiting.id}" in ran.err
    ran = machine.run("get", failed.id)
    assert ran.code == 100
    assert "failed" in ran.err
    assert machine.run("get", failed.id, waiting.id).code == 100


def test_get_into_a_file_is_exit_6(machine: Machine) -> None:
    job = machine.done(files={"a": 1})
    (machine.home / "out").write_text("a file")
    ran = machine.run("get", job.id, "-o", "out")
    assert ran.code == 6
    assert "not a folder" in ran.err


# -- cancel and retry


def test_cancel_ends_a_job_and_says_so_of_one_that_had_ended(machine: Machine) -> None:
    waiting, ended = machine.submit(), machine.done(files={})
    ran = machine.run("cancel", ended.id, waiting.id)
    assert (ran.code, ran.out.split()) == (0, [ended.id, waiting.id])
    assert "had ended already: succeeded" in ran.err or "is cancelled" in ran.err
    assert machine.run("show", "--exit-code", "-q", waiting.id).code in (0, 103)


def test_cancel_goes_on_after_an_id_that_is_wrong(machine: Machine) -> None:
    waiting = machine.submit()
    ran = machine.run("cancel", "nosuchjob", waiting.id, "--json")
    assert ran.code == 102
    assert ran.error["type"] == "NotFound"
    assert ran.json == [{"id": waiting.id, "state": "cancelled", "cancelled": True}]
    assert machine.run("cancel", waiting.id, "--json").json[0]["cancelled"] is False
    assert machine.run("show", waiting.id, "--exit-code").code == 103


def test_retry_is_a_new_job_and_becomes_the_last(machine: Machine) -> None:
    failed = machine.done(input={"fail": "no"}, retry={"max_attempts": 1}, title="Again")
    ran = machine.run("retry", failed.id)
    new = ran.out.strip()
    assert ran.code == 0
    assert new != failed.id
    found = machine.run("show", "@last", "--json").json
    assert (found["id"], found["retry_of"], found["title"]) == (new, failed.id, "Again")
    refused = machine.run("retry", new)
    assert refused.code == 5
    assert "has not ended" in refused.err


def test_a_job_named_by_its_id_and_a_beginning_was_retried_and_fetched_twice(machine: Machine) -> None:
    job = machine.done(files={"a": 1})
    assert machine.run("get", job.id, job.id[:-1], "-o", "out").out.split() == ["out/a"]
    ran = machine.run("retry", job.id, job.id[:-1])
    assert (ran.code, len(ran.out.split())) == (0, 1)


def test_last_was_the_retry_that_had_just_been_made(machine: Machine) -> None:
    """Each text was looked up when its turn came, and the retry of the first had become @last by then."""
    (machine.home / "echo.json").write_text(json.dumps({"kind": "echo", "input": {}}))
    last = machine.run("submit", "echo.json").out.strip()
    machine.serve()
    job = machine.done()
    ran = machine.run("retry", job.id, "@last", "nosuchjob", "--json")
    assert ran.code == 102 and ran.error["type"] == "NotFound"
    assert [one["retry_of"] for one in ran.json] == [job.id, last]


# -- rm and gc


def test_rm_asks_first(machine: Machine) -> None:
    job = machine.done(age_s=3600)
    ran = machine.run("rm", job.id)
    assert ran.code == 2
    assert "--yes" in ran.err
    assert machine.here("show", "-q", job.id).code == 0


def test_rm_removes_a_job_with_its_files_and_key(machine: Machine) -> None:
    job = machine.done(age_s=3600, files={"a": 1}, idempotency_key="gone-v1")
    ran = machine.run("rm", "--yes", "gone-v1")
    assert ran.code == 0
    assert machine.run("show", job.id).code == 102
    left = [entry.key for entry in machine.store().bucket.list("").entries if job.id in entry.key]
    assert left == []
    assert machine.store().bucket.head(keys.unique("gone-v1")) is None


def test_rm_refuses_what_is_too_young_or_active_or_unknown(machine: Machine) -> None:
    young = machine.done()
    active = machine.submit()
    ran = machine.run("rm", "--yes", young.id)
    assert ran.code == 5
    assert "Run the same command again in 9m" in ran.err or "again in 10m" in ran.err
    ran = machine.run("rm", "--yes", active.id)
    assert ran.code == 5
    assert "gpujob cancel" in ran.err
    assert machine.here("rm", "--yes", "nosuchjob").code == 102
    assert machine.run("ls", "-q").out.split() == [young.id, active.id]


def test_gc_says_what_would_go_and_then_does_it(machine: Machine) -> None:
    old = machine.done(age_s=40 * 86400, files={"a": 1000})
    young = machine.done(files={"a": 1})
    dry = machine.run("gc", "--dry-run", "--json")
    assert dry.json["dry_run"] is True
    assert dry.json["objects"]["results"] == 1
    assert machine.here("ls", "-q", "--since", "60d").out.split() == [old.id, young.id]
    refused = machine.here("gc")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert machine.run("gc", "--yes").code == 0
    assert machine.here("ls", "-q", "--since", "60d").out.split() == [young.id]


def test_gc_keeps_what_is_younger_than_asked(machine: Machine) -> None:
    job = machine.done(age_s=86400)
    assert machine.run("gc", "--older-than", "2d", "--yes").code == 0
    assert machine.here("show", "-q", job.id).code == 0
    assert machine.run("gc", "--older-than", "12h", "--yes").code == 0
    assert machine.here("show", "-q", job.id).code == 102
    assert machine.here("gc", "--older-than", "soon", "--yes").code == 2


# -- fsck


def test_fsck_finds_damage_and_ends_the_jobs_concerned(machine: Machine) -> None:
    assert "nothing is damaged" in machine.run("fsck").err
    good, bad = machine.submit(), machine.submit()
    bucket = machine.store().bucket
    key = keys.pending("normal", bad.id, "echo")
    head = bucket.head(key)
    assert head is not None
    bucket.replace(key, b"\x00not a manifest", head.version)

    found = machine.run("fsck", "--json")
    assert found.code == 100
    assert [(one["key"], one["job_id"], one["repaired"]) for one in found.json] == [(key, bad.id, False)]
    assert "gpujob fsck --repair" in machine.run("fsck").err
    assert machine.run("fsck", "--repair").code == 2

    repaired = machine.run("fsck", "--repair", "--yes")
    assert repaired.code == 0
    assert "ended as failed" in repaired.out
    assert machine.run("show", bad.id, "--exit-code").code == 100
    assert machine.run("show", good.id, "--exit-code").code == 101


def test_a_damaged_record_is_a_sentence_for_whoever_asks(machine: Machine) -> None:
    job = machine.done()
    bucket = machine.store().bucket
    head = bucket.head(keys.done(job.id))
    assert head is not None
    bucket.replace(keys.done(job.id), b"{}", head.version)
    ran = machine.run("show", job.id)
    assert ran.code == 100
    assert "gpujob fsck" in ran.err
    assert machine.run("ls").code == 0
