"""`doctor` on gs://, on our own imitation of Google Cloud Storage: nothing here reaches the real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.machine import Machine
from tests.google.imitation import BUCKET, SECRET, Imitation, imitation
from tests.google.tokens import ACCOUNT

URL = f"gs://{BUCKET}/team"
DELETES: dict[str, object] = {"action": {"type": "Delete"}, "condition": {"age": 30, "matchesPrefix": ["team/done/"]}}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def google() -> Iterator[Imitation]:
    with imitation() as served:
        yield served


def checks(machine: Machine, env: dict[str, str]) -> tuple[int, dict[str, dict[str, Any]]]:
    ran = machine.here("doctor", "--json", "--no-probe", "--store", URL, env=env)
    assert SECRET not in ran.out + ran.err
    return ran.code, {one["check"]: one for one in ran.json["checks"]}


def test_an_hmac_key_is_named_and_what_it_may_not_ask_is_unknown(machine: Machine, google: Imitation) -> None:
    google.service.make_bucket(BUCKET).rules = [DELETES]
    code, found = checks(machine, google.by_key)
    assert code == 3, "there is no queue yet"
    assert found["credentials"]["facts"] == {"access_key": "GOOG…HERE", "from": "env", "kind": "hmac"}
    assert found["endpoint"]["facts"]["address"] == google.endpoint
    assert found["versions"]["status"] == "note" and "--clear-soft-delete" in found["versions"]["next"]
    assert found["unseen"]["facts"]["checks"] == ["lifecycle"] and "lifecycle" not in found
    assert found["identity"]["status"] == "note" and found["identity"]["text"].startswith("not known")
    assert found["rights"]["status"] == "note" and "list what is beside the queue" in found["rights"]["text"]
    assert found["public"]["status"] == found["clock"]["status"] == found["reach"]["status"] == "ok"
    assert found["queue"]["next"] == f"gpujob init {URL}"


def test_a_login_sees_soft_delete_and_the_rule_that_deletes_results(
    machine: Machine, google: Imitation, tmp_path: Path
) -> None:
    pytest.importorskip("google.auth", reason="google-auth is missing: pip install 'gpujob[gcs]'")
    env = google.by_login(tmp_path)
    bucket = google.service.make_bucket(BUCKET)
    bucket.rules = [DELETES]
    _, found = checks(machine, env)
    assert found["credentials"]["facts"]["kind"] == "oauth"
    assert (found["identity"]["status"], found["identity"]["text"]) == ("ok", ACCOUNT)
    assert "7 days (soft delete)" in found["versions"]["text"]
    assert found["lifecycle"]["status"] == "broken" and "team/done/" in found["lifecycle"]["text"]
    bucket.rules, bucket.soft_delete_s = [], 0
    _, found = checks(machine, env)
    assert found["versions"]["status"] == found["lifecycle"]["status"] == "ok" and "unseen" not in found


def test_neither_a_key_nor_a_login_is_broken_with_both_ways_out(machine: Machine, google: Imitation) -> None:
    nobody = {"GPUJOB_GCS_ENDPOINT": google.endpoint, "NO_GCE_CHECK": "true", "AWS_EC2_METADATA_DISABLED": "true"}
    code, found = checks(machine, nobody)
    assert code == 3 and found["credentials"]["status"] == "broken"
    assert "gcloud storage hmac create" in found["credentials"]["next"]
