"""`validate`, `schema`, `models` and `worker ls|drain|stop`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpujob import keys, models
from gpujob.records import Presence, decode
from tests.acceptance.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


GOOD = '{"kind": "echo", "title": "A title", "input": {"message": "hi"}}\n'
BAD = (
    '{"kind": "tts.narrate",\n "input": {"voice": "af_hart",\n "speed": 9, "steps": [{"id": "a", "narration": " "}]}}\n'
)

# -- validate


def test_validate_passes_a_good_spec_and_touches_no_store(machine: Machine) -> None:
    (machine.home / "good.json").write_text(GOOD)
    ran = machine.run("validate", "good.json")
    assert (ran.code, ran.out) == (0, "good.json: ok, echo, A title\n")
    assert not machine.store_folder.exists()


def test_validate_tells_everything_that_is_wrong_at_once(machine: Machine) -> None:
    (machine.home / "good.json").write_text(GOOD)
    (machine.home / "bad.json").write_text(BAD)
    ran = machine.run("validate", "good.json", "bad.json", "missing.json")
    assert (ran.code, ran.out) == (2, "")
    for text in ("bad.json:2:", "af_heart", "bad.json:3:", "speed", "narration", "missing.json"):
        assert text in ran.err
    found = machine.run("validate", "bad.json", "--json").error
    assert found["exit_code"] == 2
    assert {problem["path"] for problem in found["problems"]} >= {"input.voice", "input.speed"}


def test_validate_reads_stdin_and_several_specs(machine: Machine) -> None:
    assert machine.run("validate", "-", input=GOOD * 3).out.count("ok, echo") == 3
    ran = machine.run("validate", "-", input="kind: ecko\ninput: {message: hi}\n")
    assert ran.code == 2
    assert "<stdin>:1:" in ran.err and "echo" in ran.err
    odd = "kind: my.plugin\ninput: {x: 1}\n"
    assert machine.run("validate", "-", input=odd).code == 2
    assert machine.run("validate", "-", "--allow-unknown-kind", input=odd).code == 0


def test_validate_of_rubbish_is_a_sentence(machine: Machine) -> None:
    for rubbish in ("", "{", "[[[[", "\x00", "- - -", '{"kind": 1}'):
        ran = machine.here("validate", "-", input=rubbish)
        assert ran.code == 2, rubbish
        assert ran.err.startswith("error: ")


# -- schema


def test_schema_is_a_json_schema_of_one_kind_or_of_all(machine: Machine) -> None:
    one = machine.run("schema", "tts.narrate").json
    assert one["$schema"].startswith("https://json-schema.org/")
    assert "narration" in json.dumps(one)
    everything = machine.run("schema").json
    assert len(json.dumps(everything)) > len(json.dumps(one))
    assert "echo" in machine.run("schema", "-q").out.split()


def test_schema_of_an_unknown_kind_guesses(machine: Machine) -> None:
    ran = machine.run("schema", "tts.narate")
    assert ran.code == 102
    assert "tts.narrate" in ran.err


# -- models


def test_models_ls_lists_what_there_is(machine: Machine) -> None:
    found = machine.run("models", "ls", "--json").json
    kokoro = next(one for one in found if one["name"] == "kokoro")
    assert kokoro["installed"] is False
    assert kokoro["bytes"] > 50_000_000
    assert "kokoro" in machine.run("models", "ls").out
    assert machine.run("models", "ls", "-q").out == ""


@pytest.mark.parametrize("command", [["pull"], ["rm", "--yes"]])
def test_an_unknown_model_is_exit_102_as_the_docs_say_and_names_those_there_are(
    machine: Machine, command: list[str]
) -> None:
    ran = machine.here("models", *command, "kokorro")
    assert ran.code == 102
    assert "kokoro" in ran.err.split("hint")[-1]


def test_models_rm_asks_and_forgives_what_is_not_here(machine: Machine) -> None:
    refused = machine.here("models", "rm", "kokoro")
    assert refused.code == 2
    assert "--yes" in refused.err
    ran = machine.here("models", "rm", "kokoro", "--yes")
    assert ran.code == 0
    assert "was not here" in ran.err


def test_models_pull_keeps_what_is_here(machine: Machine) -> None:
    if not models.is_installed("kokoro"):
        pytest.skip("the speech model is not on this machine: gpujob models pull kokoro")
    ran = machine.run(
        "models", "pull", "kokoro", "--json", env={"XDG_CACHE_HOME": str(models.default_root().parents[1])}
    )
    assert ran.code == 0
    assert [(one["name"], one["fetched"]) for one in ran.json] == [("kokoro", False)]


# -- worker


def presence(machine: Machine, /, **fields: object) -> None:
    given = {"id": "w-1", "session": "s", "started_at": 1.0, "kinds": ("echo",)}
    record = Presence(**{**given, **fields})  # type: ignore[arg-type]
    machine.store().bucket.create(keys.worker(record.id), record.body())


def test_worker_ls_lists_those_that_live(machine: Machine) -> None:
    assert "gpujob worker run" in machine.run("worker", "ls").err
    presence(machine, machine={"gpu": "Tesla T4", "gpu_memory": 16 * 10**9}, warnings=("runs on the CPU",), jobs_done=7)
    machine.store(age_s=3600).bucket.create(
        keys.worker("dead"), Presence(id="dead", session="s", started_at=1.0).body()
    )
    ran = machine.run("worker", "ls")
    assert "Tesla T4, 16.0 GB" in ran.out and "dead" not in ran.out
    assert "runs on the CPU" in ran.err
    assert machine.run("worker", "ls", "-q").out == "w-1\n"
    (found,) = machine.run("worker", "ls", "--json").json
    assert (found["id"], found["jobs_done"], found["kinds"]) == ("w-1", 7, ["echo"])


@pytest.mark.parametrize("word", ["drain", "stop"])
def test_worker_drain_and_stop_leave_a_word_for_it(machine: Machine, word: str) -> None:
    presence(machine)
    ran = machine.run("worker", word, "w-1", "w-2")
    assert ran.code == 102
    assert ran.out == "w-1\n"
    assert "within 1m" in ran.err and "no worker w-2" in ran.err
    found = machine.store().bucket.get(keys.worker("w-1"))
    assert found is not None
    assert decode(Presence, "w-1", found.body).control == word
    assert f"told to {word}" in machine.run("worker", "ls").out


@pytest.mark.parametrize("name", ["../x", "a b", "a/b", "*", ""])
def test_what_is_no_worker_id_was_told_as_an_altered_result(machine: Machine, name: str) -> None:
    ran = machine.here("worker", "drain", name)
    assert ran.code == 102
    assert "is not a worker id" in ran.err and "`gpujob worker ls` lists those that live" in ran.err
