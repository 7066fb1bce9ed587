"""What `doctor` says of signatures: to who has no key, to a submitter, to a worker, and of a key that cannot be used."""

from __future__ import annotations

import pytest

from gpujob.records import QueueConfig
from gpujob.signing.identity import NOBODY, Identity
from gpujob.signing.private import new_key
from gpujob_cli.examinations.findings import CHECKS, Finding
from gpujob_cli.examinations.signatures import of_identity

MINE, THEIRS = new_key(), new_key()
PLAIN, SIGNED = QueueConfig(), QueueConfig(signed=True)


def said(found: Finding) -> str:
    assert found.check in CHECKS
    return "\n".join((found.text, *found.lines))


def test_where_nobody_signs_that_is_said_and_is_no_fault() -> None:
    found = of_identity(NOBODY, PLAIN)
    assert (found.status, found.next) == ("ok", "") and "off" in found.text


def test_a_queue_of_signed_jobs_and_no_key_names_the_command_that_makes_one() -> None:
    found = of_identity(NOBODY, SIGNED)
    assert (found.status, found.next) == ("note", "gpujob keys new")
    assert found.facts == {"queue_signed": True, "key": "", "submitters": [], "workers": []}


@pytest.mark.parametrize("config", [PLAIN, SIGNED])
def test_who_signs_and_believes_anybody_is_told_whose_keys_to_name(config: QueueConfig) -> None:
    found = of_identity(Identity(MINE), config)
    assert found.status == "note" and "GPUJOB_TRUST_WORKERS" in found.next
    assert f"signs with the key {MINE.public.id}" in found.text


def test_a_submitter_that_trusts_its_workers_lacks_nothing_but_what_a_worker_needs() -> None:
    found = of_identity(Identity(MINE, workers=(THEIRS.public,)), SIGNED)
    assert found.status == "ok" and "believes results of 1 key" in found.text
    assert said(found).splitlines()[1:] == ["a worker would not start here: GPUJOB_TRUST_SUBMITTERS names no key"]


def test_a_worker_without_a_key_is_told_that_its_results_cannot_be_believed() -> None:
    found = of_identity(Identity(submitters=(THEIRS.public, MINE.public)), SIGNED)
    assert found.status == "ok" and "signs nothing; runs jobs of 2 keys" in found.text
    assert "GPUJOB_SIGN_WITH" in said(found) and "GPUJOB_TRUST_SUBMITTERS" not in said(found)
