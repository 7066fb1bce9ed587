"""`doctor` tells the truth about a store: on real servers, healthy ones and ones that were spoilt on purpose."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from localstack import servers
from localstack.servers import Server
from localstack.users import as_environment, users_of

from gpujob import keys, models, queue
from gpujob.buckets.base import Bucket
from gpujob.buckets.s3 import open_s3
from gpujob.chance import Random
from gpujob.clock import SYSTEM, SystemRuntime
from gpujob.policies.minio_users import Keys, MinioUsers
from gpujob.protocol.context import Context
from gpujob.records import Presence, QueueConfig
from gpujob.specs.quantities import format_duration
from gpujob_cli import accelerators
from gpujob_cli.examinations import rights
from gpujob_cli.examinations.findings import CHECKS
from tests.acceptance.machine import Machine
from tests.docs.pages import ROOT, every_page
from tests.servers import NAMES, PREFIX, SHARED, minio, start_server, with_users
from tests.sizing import only_at_full_size, pick

__all__ = ["minio"]

DAY_S = 86400.0
_numbers = itertools.count()


class Place:
    """A queue of its own on a server, and `doctor` on it."""

    def __init__(self, machine: Machine, server: Server, prefix: str = "team") -> None:
        self.machine = machine
        self.server = server
        self.name = f"doctor-{os.getpid()}-{next(_numbers)}"
        self.url = f"s3://{self.name}/{prefix}".rstrip("/")
        server.make_bucket(self.name)
        self.client = server.client()
        self.bucket: Bucket = open_s3(self.name, prefix, session=server.session(), endpoint_url=server.endpoint)

    def make_queue(self) -> None:
        ctx = Context(self.bucket, SYSTEM, Random(next(_numbers)))
        queue.save(ctx, QueueConfig(created_at=SYSTEM.now(), verdict={"safe": True}))

    def checks(self, *flags: str, code: int = 0, **env: str) -> dict[str, dict[str, Any]]:
        """The findings by check, of a `doctor` that ended with `code`."""
        ran = self.machine.here("doctor", "--json", *flags, env={**self.server.environment(self.url), **env})
        assert ran.code == code, ran.out + ran.err
        assert self.server.secret_key not in ran.out + ran.err
        return {one["check"]: one for one in ran.json["checks"]}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(params=pick(quick=NAMES[:1], full=NAMES))
def place(machine: Machine, request: pytest.FixtureRequest) -> Place:
    """A queue, on both servers at full size."""
    place = Place(machine, start_server(request.param))
    place.make_queue()
    return place


@pytest.fixture
def shared(machine: Machine, minio: Server) -> Iterator[Place]:
    """The queue whose narrow users there are, on MinIO; other tests want it to be none."""
    only_at_full_size("doctor as MinIO's narrow users")
    with_users("minio")
    place = Place(machine, minio)
    place.url = f"s3://{SHARED}/{PREFIX}"
    place.bucket = open_s3(SHARED, PREFIX, session=minio.session(), endpoint_url=minio.endpoint)
    place.make_queue()
    yield place
    place.bucket.delete(keys.QUEUE)


@pytest.fixture
def on_minio(machine: Machine, minio: Server) -> Place:
    place = Place(machine, minio)
    place.make_queue()
    return place


# -- all is well


def test_a_healthy_store_is_told_of_in_full_and_left_as_it_was(machine: Machine, minio: Server) -> None:
    place = Place(machine, minio)
    place.make_queue()
    ran = machine.run("doctor", "--json", env=minio.environment(place.url))
    assert ran.code == 0, ran.out
    found = {one["check"]: one for one in ran.json["checks"]}
    assert set(found) <= set(CHECKS) and [one for one in CHECKS if one in found] == list(found)
    assert ran.json["ok"] is True and ran.json["broken"] == 0 and ran.json["seconds"] > 0
    assert found["credentials"]["facts"] == {
        "access_key": "gpuj…ot", "from": "env", "profile": "default", "temporary": False, "left_s": None,
    }  # fmt: skip
    assert found["endpoint"]["facts"]["style"] == "path" and found["endpoint"]["facts"]["server"] == "MinIO"
    assert set(found["reach"]["facts"]) == {"PUT", "GET", "LIST"}
    assert found["identity"]["facts"] == {"account": minio.access_key, "root": True}
    assert found["rights"]["status"] == "note" and found["rights"]["facts"]["lists_beside"] is True
    rows = found["safety"]["facts"]["checks"]
    assert len(rows) == 9 and all(row["ok"] and row["ms"] > 0 for row in rows)
    for check in ("clock", "public", "versions", "lifecycle", "safety", "queue", "jobs", "cost"):
        assert found[check]["status"] == "ok", found[check]
    assert minio.secret_key not in ran.out + ran.err
    assert [entry.key for entry in place.bucket.list("").entries] == ["queue.json"]


def test_without_the_probe_nothing_is_written(place: Place) -> None:
    found = place.checks("--no-probe")
    assert set(found["reach"]["facts"]) == {"GET", "LIST"}
    assert found["safety"]["facts"] == {"tried": False, "safe_at_init": True}
    assert [entry.key for entry in place.bucket.list("").entries] == ["queue.json"]


def test_the_report_for_people_ends_with_what_to_do(on_minio: Place) -> None:
    ran = on_minio.machine.here("doctor", "--no-probe", env=on_minio.server.environment(on_minio.url))
    groups = [line for line in ran.out.splitlines() if line and not line.startswith(" ")]
    assert groups == ["this machine", "the store", "the queue", "what to do next"]
    last = ran.out[ran.out.index("what to do next") :]
    assert "next: gpujob worker run" in last and f"gpujob init {on_minio.url} --policies" in last
    assert "looked at in" in ran.err


def test_deep_races_64_writers(on_minio: Place) -> None:
    only_at_full_size("a race of 64 writers")
    found = on_minio.checks("--deep")
    assert found["safety"]["facts"]["racers"] == 64
    assert found["safety"]["facts"]["checks"][-1]["seen"] == "one winner in each of 10 rounds"


# -- the bucket is spoilt


def test_a_bucket_that_keeps_versions_says_what_that_costs(place: Place) -> None:
    place.client.put_bucket_versioning(Bucket=place.name, VersioningConfiguration={"Status": "Enabled"})
    kept = place.checks("--no-probe")["versions"]
    assert kept["status"] == "note" and "360 in an hour" in kept["text"] and "Suspended" in kept["next"]
    assert kept["facts"]["a_month"] == pytest.approx(360 * 720 + 43200)
    rule: Any = {"ID": "old", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    place.client.put_bucket_lifecycle_configuration(Bucket=place.name, LifecycleConfiguration={"Rules": [rule]})
    found = place.checks("--no-probe")
    assert (found["versions"]["status"], found["versions"]["facts"]["expire_after_days"]) == ("ok", 1)
    assert found["lifecycle"]["status"] == "ok"


def test_a_rule_that_deletes_results_is_broken(place: Place) -> None:
    rule: Any = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": "team/done/"}, "Expiration": {"Days": 365}}
    place.client.put_bucket_lifecycle_configuration(Bucket=place.name, LifecycleConfiguration={"Rules": [rule]})
    found = place.checks("--no-probe", code=3)["lifecycle"]
    assert found["status"] == "broken" and "'tidy'" in found["text"] and "done/" in found["text"]
    assert "disable the rule" in found["next"]


def test_a_bucket_that_is_open_to_everybody_is_broken(place: Place) -> None:
    anybody = {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["s3:GetObject"]}
    policy = {"Version": "2012-10-17", "Statement": [{**anybody, "Resource": [f"arn:aws:s3:::{place.name}/*"]}]}
    place.client.put_bucket_policy(Bucket=place.name, Policy=json.dumps(policy))
    found = place.checks("--no-probe", code=3)["public"]
    assert found["status"] == "broken" and "everybody s3:GetObject" in found["text"]
    assert "delete-bucket-policy" in found["next"]


def test_a_locked_bucket_is_noted(on_minio: Place) -> None:
    on_minio.name = f"{on_minio.name}-locked"
    on_minio.url = f"s3://{on_minio.name}"
    on_minio.client.create_bucket(Bucket=on_minio.name, ObjectLockEnabledForBucket=True)
    kept: Any = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    on_minio.client.put_object_lock_configuration(Bucket=on_minio.name, ObjectLockConfiguration=kept)
    found = on_minio.checks("--no-probe", code=3)
    assert found["lock"]["facts"] == {"mode": "GOVERNANCE", "days": 1}
    assert found["queue"]["next"] == f"gpujob init s3://{on_minio.name}"


# -- who asks


def test_a_worker_is_no_root_and_is_told_what_it_may_not_see(shared: Place) -> None:
    (worker,) = [user for user in users_of(SHARED) if user.role == "worker"]
    found = shared.checks(**as_environment(worker))
    assert found["identity"]["facts"] == {"account": worker.access_key, "root": False}
    assert (found["rights"]["status"], found["rights"]["facts"]["allowed_beyond"]) == ("ok", []), found["rights"]
    assert found["safety"]["facts"]["tried"] is False and "may not write below probe/" in found["safety"]["text"]
    assert "versions" in found["unseen"]["facts"]["checks"]
    assert "versions" not in found, "what was not answered is not judged"
    assert set(found["reach"]["facts"]) == {"GET", "LIST"}


def test_an_operator_sees_the_buckets_settings_and_nothing_beside_the_queue(shared: Place) -> None:
    (operator,) = [user for user in users_of(SHARED) if user.role == "operator"]
    found = shared.checks("--no-probe", **as_environment(operator))
    assert "unseen" not in found and found["versions"]["status"] == found["lifecycle"]["status"] == "ok"
    assert found["rights"]["status"] == "ok" and found["identity"]["facts"]["root"] is False


def test_a_worker_with_minios_own_readwrite_was_ok(machine: Machine, minio: Server) -> None:
    users = MinioUsers(minio.endpoint, Keys(minio.access_key, minio.secret_key))
    users._admin.user_add(access_key="wide-worker", secret_key="of-no-use-elsewhere")
    users._attach(["readwrite"], "wide-worker")
    place = Place(machine, minio, prefix="")
    place.make_queue()
    wide = {"AWS_ACCESS_KEY_ID": "wide-worker", "AWS_SECRET_ACCESS_KEY": "of-no-use-elsewhere"}
    found = place.checks("--no-probe", **wide)
    assert found["identity"]["facts"] == {"account": "wide-worker", "root": False}
    assert found["rights"]["status"] == "note" and "may do s3:* on every bucket" in found["rights"]["text"]
    assert f"gpujob init {place.url} --policies" in found["rights"]["next"]


def test_a_wrong_secret_is_named_and_hides_neither_machine_nor_place(place: Place) -> None:
    found = place.checks(code=3, AWS_SECRET_ACCESS_KEY="not-the-secret")
    assert found["reach"]["status"] == "broken" and "does not belong to the access key" in found["reach"]["text"]
    assert found["credentials"]["status"] == "ok" and found["endpoint"]["status"] == "ok"
    assert "queue" not in found


def test_a_user_of_another_queue_is_told_who_it_is(machine: Machine, minio: Server) -> None:
    only_at_full_size("doctor as MinIO's narrow users")
    with_users("minio")
    (worker,) = [user for user in users_of(SHARED) if user.role == "worker"]
    found = Place(machine, minio).checks(code=3, **as_environment(worker))
    assert "do not allow this" in found["reach"]["text"]
    assert found["identity"]["facts"]["account"] == worker.access_key


# -- the way there


def test_a_server_that_is_silent_costs_seconds(machine: Machine, minio: Server) -> None:
    only_at_full_size("a server that is silent")
    place = Place(machine, minio)
    with contextlib.closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        started_s = SYSTEM.elapsed()
        found = place.checks(code=3, AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert found["reach"]["status"] == "broken" and "in time" in found["reach"]["text"]
    assert SYSTEM.elapsed() - started_s < 30
    assert "versions" not in found and "identity" not in found


def test_a_wrong_region_is_named_with_the_right_one(machine: Machine, minio: Server, strict_minio: Server) -> None:
    place = Place(machine, strict_minio)
    place.make_queue()
    found = place.checks("--no-probe", AWS_DEFAULT_REGION="eu-west-1")["endpoint"]
    assert (found["status"], found["next"]) == ("note", "set AWS_DEFAULT_REGION=eu-central-1")


@pytest.fixture
def strict_minio(minio: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A MinIO that has a region."""
    plain = Server.settings
    monkeypatch.setattr(Server, "settings", lambda self: {**plain(self), "MINIO_SITE_REGION": "eu-central-1"})
    with servers.running("minio") as server:
        server.region = "eu-central-1"
        yield server


@pytest.mark.parametrize("off_s", pick(quick=[DAY_S], full=[DAY_S, -DAY_S]))
def test_a_clock_that_is_a_day_off_is_a_note_and_hides_nothing(
    place: Place, off_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request of all was refused for the clock, and doctor took that for a store that cannot be reached."""
    now, today = SystemRuntime.now, botocore.auth.get_current_datetime
    monkeypatch.setattr(SystemRuntime, "now", lambda self: now(self) + off_s)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: today() + datetime.timedelta(seconds=off_s))
    found = place.checks("--no-probe")
    assert found["clock"]["status"] == "note"
    assert f"this machine is {format_duration(DAY_S)} " in found["clock"]["text"]
    assert ("ahead of" if off_s > 0 else "behind") in found["clock"]["text"]
    assert found["reach"]["status"] == found["queue"]["status"] == "ok"


# -- the queue


def presence(bucket: Bucket, name: str, **fields: Any) -> None:
    record = Presence(id=name, session=name, started_at=SYSTEM.now(), **fields)
    bucket.create(keys.worker(name), record.body())


def test_workers_are_told_with_their_gpus(on_minio: Place) -> None:
    card = {"gpu": "Tesla T4", "gpu_memory": 15 * 2**30}
    presence(on_minio.bucket, "colab-t4-7f", kinds=("tts.narrate",), warm=("tts.narrate",), machine=card)
    on_minio.bucket.create(f"{keys.WORKERS}broken.json", b"\xff not a record")
    found = on_minio.checks("--no-probe")["workers"]
    (live,) = found["facts"]["live"]
    assert (live["id"], live["gpu"], live["gpu_memory_bytes"]) == ("colab-t4-7f", "Tesla T4", 15 * 2**30)
    ran = on_minio.machine.here("doctor", "--no-probe", env=on_minio.server.environment(on_minio.url))
    assert "colab-t4-7f: Tesla T4, 16.1 GB; idle; serves tts.narrate; warm for tts.narrate; seen" in ran.out


def test_a_job_that_nobody_will_take_is_named(on_minio: Place) -> None:
    env = on_minio.server.environment(on_minio.url)
    presence(on_minio.bucket, "w-1", kinds=("tts.narrate",))
    (on_minio.machine.home / "job.json").write_text('{"kind": "echo", "input": {"message": "hi"}}')
    job = on_minio.machine.here("submit", "job.json", env=env).out.strip()
    found = on_minio.checks("--no-probe")["jobs"]
    assert found["facts"]["waiting"] == {"normal": 1} and found["facts"]["oldest"] == job
    assert (found["status"], found["facts"]["reason"]) == ("note", "no_worker_for_kind")
    assert "no live worker serves echo" in found["text"] and "gpujob worker run" in found["next"]


def test_a_bucket_without_a_queue_names_init(machine: Machine, minio: Server) -> None:
    place = Place(machine, minio)
    found = place.checks("--no-probe", code=3)
    assert (found["queue"]["status"], found["queue"]["next"]) == ("broken", f"gpujob init {place.url}")
    assert found["cost"]["status"] == "ok", "what does not rest on it is told all the same"


def test_a_key_that_is_named_and_is_not_there_is_broken_and_says_where_it_was_looked_for(on_minio: Place) -> None:
    found = on_minio.checks("--no-probe", code=3, GPUJOB_SIGN_WITH="no-such-key")
    assert found["signing"]["status"] == "broken" and "no-such-key" in found["signing"]["text"]
    assert found["workers"]["status"] == "note", "what does not rest on it is told all the same"


# -- the page


def shape(report: str) -> list[str]:
    """The lines without what differs from run to run: numbers, sizes, ids, ports, columns."""
    text = re.sub(r"[0-9a-hjkmnp-tv-z]{26}", "ID", report)
    text = re.sub(r"just now|\d+ (s|min) ago", "AGO", text)
    text = re.sub(r"\d[\d.,]*(?: ?(?:ms|s|m|h)\b)?", "N", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_the_page_shows_what_doctor_prints(on_minio: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(models, "installed", list)
    monkeypatch.setattr(accelerators, "gpu_present", lambda: False)
    monkeypatch.setattr(rights, "reach", lambda asking: rights.Reach(lists_beside=True))
    rule: Any = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": "team/done/"}, "Expiration": {"Days": 7}}
    on_minio.client.put_bucket_versioning(Bucket=on_minio.name, VersioningConfiguration={"Status": "Enabled"})
    on_minio.client.put_bucket_lifecycle_configuration(Bucket=on_minio.name, LifecycleConfiguration={"Rules": [rule]})
    card = {"gpu": "Tesla T4", "gpu_memory": 15 * 2**30}
    presence(on_minio.bucket, "colab-t4-7f", kinds=("tts.narrate",), warm=("tts.narrate",), machine=card)
    env = on_minio.server.environment(on_minio.url)
    (on_minio.machine.home / "job.json").write_text('{"kind": "echo", "input": {"message": "hi"}}')
    assert on_minio.machine.here("submit", "job.json", env=env).code == 0
    ran = on_minio.machine.here("doctor", env=env)
    (shown,) = [block.text for page in every_page() for block in page.blocks if block.comment == "what doctor prints"]
    printed = ran.out.replace(on_minio.name, "gpujob").replace(on_minio.server.endpoint, "http://127.0.0.1:9000")
    assert shape(printed) == shape(shown.removeprefix("$ gpujob doctor\n"))


def test_the_page_names_every_check() -> None:
    page = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    table = page[page.index("## The checks") : page.index("Where `reach` is broken")]
    assert re.findall(r"^\| `([a-z ]+)` \|", table, re.MULTILINE) == list(CHECKS)
