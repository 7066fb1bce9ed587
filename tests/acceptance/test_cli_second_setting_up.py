"""`init` and `doctor`, as a person types them, on folders and on real and careless S3 servers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from localstack.servers import Server

from gpujob import queue
from tests.acceptance.machine import Machine
from tests.hostile.dialects import Dialect, dialect_server
from tests.servers import seaweedfs  # noqa: F401 - a fixture
from tests.sizing import only_at_full_size

NOWHERE = {
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def checks(machine: Machine, *args: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code of `doctor --json`, and its findings by check."""
    ran = machine.run("doctor", "--json", *args, env=env)
    return ran.code, {one["check"]: one for one in ran.json["checks"]}


# -- init on a folder


def test_init_makes_a_queue_with_its_settings(machine: Machine) -> None:
    ran = machine.run("init", "--ttl", "3s", "--beat", "1s", "--retention", "7d", "--max-attempts", "5")
    assert (ran.code, ran.out) == (0, f"{machine.url}\n")
    assert "the store is safe" in ran.err
    config = queue.require(machine.store().bucket)
    assert (config.ttl_s, config.beat_s, config.retention_s, config.defaults.max_attempts) == (3, 1, 7 * 86400, 5)
    assert config.verdict["safe"] is True
    assert config.etag_style == "quoted"
    assert [entry.key for entry in machine.store().bucket.list("").entries] == ["queue.json"]


def test_init_again_changes_only_what_is_said(machine: Machine) -> None:
    machine.run("init", "--ttl", "60s", "--retention", "7d")
    ran = machine.run("init", "--beat", "5s", "--json")
    assert ran.json["queue_created"] is False
    assert (ran.json["config"]["ttl_s"], ran.json["config"]["beat_s"]) == (60, 5)
    assert queue.require(machine.store().bucket).retention_s == 7 * 86400


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--beat", "20s"], "too short for a beat"),
        (["--ttl", "soon"], "--ttl"),
        (["--beat", "0.1s"], "too often"),
        (["--retention", "1s"], "--retention"),
        (["--max-attempts", "0"], "--max-attempts"),
        (["--profile", "a b"], "no name for a profile"),
    ],
)
def test_init_refuses_settings_that_cannot_work(machine: Machine, flags: list[str], says: str) -> None:
    ran = machine.here("init", *flags)
    assert ran.code == 2
    assert says in ran.err
    assert queue.load(machine.store().bucket) is None


@pytest.mark.parametrize("chosen", ["file", "variable"])
def test_the_remedy_for_a_profile_that_is_not_there_failed_with_the_same_sentence(
    machine: Machine, chosen: str
) -> None:
    env = {"GPUJOB_PROFILE": "work"} if chosen == "variable" else {}
    if chosen == "file":
        (machine.home / "gpujob.toml").write_text('profile = "work"\n')
    refused = machine.run("ls", env=env)
    assert refused.code == 3 and "no profile 'work'" in refused.err and "gpujob init URL --profile" in refused.err
    assert machine.run("init", env=env).code == 3
    made = machine.run("init", machine.url, "--profile", "work", env=env)
    assert made.code == 0, made.err
    assert machine.run("ls", env=env).code == 0


def test_init_writes_a_profile_beside_those_there_are(machine: Machine) -> None:
    config = machine.home / "config/gpujob/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('# mine\nsubmitted_by = "me"\n[profiles.old]\nstore = "memory://x"')
    other = machine.home / "other store"
    ran = machine.run("init", str(other), "--profile", "work")
    assert ran.code == 0
    assert config.read_text().startswith('# mine\nsubmitted_by = "me"\n[profiles.old]\nstore = "memory://x"\n')
    assert machine.run("ls", "--profile", "work").code == 0
    assert machine.run("doctor", "--profile", "work", "--no-probe", "--json").json["store"] == other.as_uri()
    assert machine.run("init", str(other), "--profile", "work").code == 0
    refused = machine.run("init", "--profile", "work")
    assert refused.code == 5
    assert "another store" in refused.err


@pytest.mark.parametrize("url", ["gs://", "ftp://x", "s3://", "s3://user:hunter2@bucket", "file://host/x"])
def test_init_refuses_a_url_that_is_no_store(machine: Machine, url: str) -> None:
    ran = machine.here("init", url)
    assert ran.code == 3
    assert "hunter2" not in ran.err


def test_init_in_a_folder_that_cannot_be_written_is_a_sentence(machine: Machine) -> None:
    (machine.home / "file").write_text("x")
    ran = machine.run("init", str(machine.home / "file"))
    assert ran.code in (3, 6)
    assert ran.err.startswith("trying out") and "error: " in ran.err


# -- init on S3


def test_an_unsafe_store_is_refused_by_name_and_nothing_is_written(machine: Machine) -> None:
    with dialect_server(Dialect(ignores_conditions=True)) as (env, store):
        ran = machine.run("init", "s3://bucket/prefix", "--json", env=env)
        assert ran.code == 3
        assert ran.error["type"] == "UnsafeStore"
        assert "s3://bucket/prefix is not safe" in ran.error["message"]
        assert "overwrites" in ran.error["message"]
        assert "SeaweedFS" in ran.error["hint"]
        assert store.objects == {}
        code, found = checks(machine, "--store", "s3://bucket/prefix", env=env)
        assert code == 3
        assert found["safety"]["status"] == "broken" and "overwrites" in found["safety"]["text"]
        assert found["queue"]["next"] == "gpujob init s3://bucket/prefix"


def test_a_store_that_is_down_is_exit_4(machine: Machine) -> None:
    ran = machine.run("init", "s3://bucket", env=NOWHERE)
    assert ran.code == 4
    assert "127.0.0.1:1" in ran.err
    code, found = checks(machine, "--store", "s3://bucket", env=NOWHERE)
    assert code == 3
    assert found["reach"]["status"] == "broken"
    assert found["credentials"]["status"] == "ok"


def test_from_an_empty_server_to_files_on_this_disk(machine: Machine, seaweedfs: Server) -> None:  # noqa: F811
    only_at_full_size("a queue on an empty SeaweedFS, from its probe to the files of a job")
    url = f"s3://{machine.home.name.replace('_', '-')[:40].lower()}-q/some/prefix"
    env = seaweedfs.environment(url)
    missing = machine.run("ls", env=env)
    assert missing.code == 3
    ran = machine.run("init", "--json", "--policies", "--ttl", "3s", "--beat", "1s", env=env)
    assert ran.code == 0, ran.err
    assert (ran.json["bucket_created"], ran.json["queue_created"]) == (True, True)
    for dialect in ("aws", "minio"):
        written = json.dumps(ran.json["policies"][dialect]["worker"])
        assert "some/prefix/leased/*" in written and "some/prefix/unique/" not in written

    (machine.home / "job.json").write_text(
        '{"kind": "echo", "input": {"message": "hi", "artifacts": [{"name": "a.bin", "bytes": 3000}]}}'
    )
    job = machine.run("submit", "job.json", env=env).out.strip()
    assert machine.run("worker", "run", "--once", "--kinds", "echo", env=env).code == 0
    assert machine.run("show", job, "--exit-code", env=env).code == 0
    assert machine.run("get", job, "-o", "out", env=env).out == "out/a.bin\n"
    assert (machine.home / "out/a.bin").stat().st_size == 3000

    code, found = checks(machine, env=env)
    assert code == 0
    assert {
        name: one["status"] for name, one in found.items() if name in ("reach", "queue", "safety", "checksums")
    } == {
        "reach": "ok",
        "queue": "ok",
        "safety": "ok",
        "checksums": "ok",
    }
    wrong = {**env, "AWS_SECRET_ACCESS_KEY": "wrong"}
    denied = machine.run("ls", env=wrong)
    assert denied.code == 3
    assert "gpujob doctor" in denied.err or "credentials" in denied.err
    code, found = checks(machine, env=wrong)
    assert code == 3
    assert found["reach"]["status"] == "broken"


def test_a_remote_store_without_a_queue_names_init(machine: Machine, seaweedfs: Server) -> None:  # noqa: F811
    env = seaweedfs.environment("s3://gpujob/nothing-here")
    ran = machine.run("ls", env=env)
    assert ran.code == 3
    assert "gpujob init s3://gpujob/nothing-here" in ran.err


# -- doctor


def test_doctor_on_a_fresh_machine_finds_nothing_broken(machine: Machine) -> None:
    ran = machine.run("doctor")
    assert ran.code == 0
    assert "nothing is broken" in ran.err
    for text in (machine.url, "GPUJOB_STORE", "next: gpujob models pull kokoro", "next: gpujob worker run", "a month"):
        assert text in ran.out
    assert "AWS" not in ran.out


def test_doctor_names_old_variables_that_have_no_effect(machine: Machine) -> None:
    ran = machine.run("doctor", "--no-probe", env={"GPU_WORKER_TOKEN": "s3cret", "COLAB_TTS_DRIVE_PATH": "/x"})
    assert ran.code == 0
    assert "GPU_WORKER_TOKEN is set and has no effect" in ran.out
    assert "COLAB_TTS_DRIVE_PATH" in ran.out
    assert "s3cret" not in ran.out + ran.err


def test_doctor_without_credentials_says_so(machine: Machine) -> None:
    env = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_EC2_METADATA_DISABLED": "true"}
    code, found = checks(machine, "--store", "s3://bucket", env=env)
    assert code == 3
    assert found["credentials"]["status"] == "broken"
    assert "AWS_ACCESS_KEY_ID" in found["credentials"]["next"]


def test_doctor_says_what_is_wrong_with_the_queue(machine: Machine) -> None:
    machine.run("init")
    bucket = machine.store().bucket
    head = bucket.head("queue.json")
    assert head is not None
    bucket.replace("queue.json", b'{"protocol": 2}', head.version)
    code, found = checks(machine, "--no-probe")
    assert code == 3
    assert "protocol 2" in found["queue"]["text"] and "Upgrade" in found["queue"]["next"]
    assert found["clock"]["status"] == "ok"
    assert machine.run("ls").code == 3


def test_doctor_leaves_nothing_in_the_store(machine: Machine) -> None:
    machine.run("init")
    before = sorted(os.listdir(machine.store_folder))
    assert machine.run("doctor", "-q").out == ""
    assert [entry.key for entry in machine.store().bucket.list("").entries] == ["queue.json"]
    assert set(before) <= set(os.listdir(machine.store_folder))
