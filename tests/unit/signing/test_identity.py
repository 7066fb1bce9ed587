"""Who believes what: every value of a job and of a result is covered, and only keys that are named count."""

from __future__ import annotations

import pytest

from gpujob.errors import Untrusted
from gpujob.records import Manifest, Result, content_sha256
from gpujob.signing.identity import LATE_S, NOBODY, Identity
from tests.unit.signing.parties import JOB, NOW, OTHER, Parties, broken, each_alteration, manifest, result

EACH_OF_A_JOB = 35
EACH_OF_A_RESULT = 60


@pytest.fixture(scope="module")
def parties() -> Parties:
    return Parties()


@pytest.fixture(scope="module")
def job(parties: Parties) -> Manifest:
    """A signed job."""
    return parties.submitter.signed_manifest(manifest())


@pytest.fixture(scope="module")
def end(parties: Parties, job: Manifest) -> Result:
    """Its signed result."""
    return parties.worker.signed_result(result(job))


def problem(identity: Identity, record: Manifest, now: float = NOW) -> str:
    return identity.job_problem(record, now)


def test_a_signed_job_is_run_and_its_result_believed(parties: Parties, job: Manifest, end: Result) -> None:
    assert problem(parties.worker, job) == ""
    parties.submitter.check_result(JOB, end)
    parties.submitter.check_manifest(job)


def test_who_names_no_keys_believes_everybody(job: Manifest) -> None:
    assert NOBODY.job_problem(manifest(), NOW) == ""
    NOBODY.check_result(JOB, result(manifest(), id=OTHER))
    NOBODY.check_manifest(manifest())
    assert NOBODY.signed_manifest(job) is job and NOBODY.trusts_step(None, "d", "s", 1, {})


def test_a_job_without_a_signature_is_refused(parties: Parties) -> None:
    assert problem(parties.worker, manifest()) == "it is not signed"


def test_a_job_signed_with_a_strangers_key_is_refused_by_its_id(parties: Parties) -> None:
    forged = Identity(parties.mallory).signed_manifest(manifest())
    assert problem(parties.worker, forged) == (
        f"it is signed with the key {parties.mallory.public.id}, which is not trusted here"
    )


def test_a_strangers_signature_under_a_trusted_name_is_refused(parties: Parties) -> None:
    forged = Identity(parties.mallory).signed_manifest(manifest())
    assert forged.signature is not None
    named = forged.signature.model_copy(update={"key": parties.alice.public.id})
    assert "does not match" in problem(parties.worker, forged.model_copy(update={"signature": named}))


def test_a_workers_own_key_makes_no_job(parties: Parties) -> None:
    forged = parties.worker.signed_manifest(manifest())
    assert "not trusted here" in problem(parties.worker, forged)


def test_every_single_value_of_a_job_is_covered(parties: Parties, job: Manifest) -> None:
    tried = set()
    for path, changed in each_alteration(job):
        assert isinstance(changed, Manifest)
        assert problem(parties.worker, changed), f"{path} was altered, and nobody noticed"
        tried.add(path)
    assert len(tried) >= EACH_OF_A_JOB and {path.split(".")[0] for path in tried} == set(Manifest.model_fields), tried


def test_every_single_value_of_a_result_is_covered(parties: Parties, end: Result) -> None:
    tried = set()
    for path, changed in each_alteration(end):
        assert isinstance(changed, Result)
        with pytest.raises(Untrusted):
            parties.submitter.check_result(JOB, changed)
        tried.add(path)
    assert len(tried) >= EACH_OF_A_RESULT and {path.split(".")[0] for path in tried} == set(Result.model_fields), tried


def test_a_broken_signature_is_a_problem_and_no_crash(parties: Parties, job: Manifest, end: Result) -> None:
    assert job.signature is not None and end.signature is not None
    for signature in broken(job.signature):
        assert problem(parties.worker, job.model_copy(update={"signature": signature}))
    for signature in broken(end.signature):
        with pytest.raises(Untrusted):
            parties.submitter.check_result(JOB, end.model_copy(update={"signature": signature}))


def test_a_signature_of_something_else_does_not_pass(parties: Parties, job: Manifest, end: Result) -> None:
    crossed = job.model_copy(update={"signature": parties.alice.sign(b"gpujob result 1\n{}")})
    assert problem(parties.worker, crossed)
    assert problem(parties.worker, manifest(id=OTHER, signature=job.signature)), "the id is signed"
    with pytest.raises(Untrusted, match="another job"):
        parties.submitter.check_result(OTHER, end)


def test_a_spec_that_is_not_the_one_its_hash_says_is_refused_though_signed(parties: Parties) -> None:
    lying = parties.submitter.signed_manifest(manifest(spec_sha256="cd" * 32))
    assert problem(parties.worker, lying) == "its spec_sha256 is not that of its spec and files"
    assert content_sha256(lying.spec, lying.files) != lying.spec_sha256


def test_a_job_that_must_have_ended_long_ago_is_refused(parties: Parties, job: Manifest) -> None:
    last = job.created_at + job.ttl_s + LATE_S
    assert problem(parties.worker, job, last) == ""
    assert "so long ago" in problem(parties.worker, job, last + 1)


def test_two_keys_at_once_are_a_rotation(parties: Parties, job: Manifest) -> None:
    both = Identity(submitters=(parties.mallory.public, parties.alice.public))
    assert problem(both, job) == ""
    assert problem(both, Identity(parties.mallory).signed_manifest(manifest())) == ""
    assert problem(Identity(submitters=(parties.mallory.public,)), job), "the old key was taken off"


@pytest.mark.parametrize("state", ["succeeded", "failed", "expired"])
def test_a_submitters_signature_ends_no_job_but_by_cancelling(parties: Parties, job: Manifest, state: str) -> None:
    bob = Identity(parties.mallory, submitters=(parties.alice.public,), workers=(parties.gpu1.public,))
    by_submitter = Identity(parties.alice)
    with pytest.raises(Untrusted, match="not trusted here"):
        bob.check_result(JOB, by_submitter.signed_result(result(job, state=state)))
    bob.check_result(JOB, by_submitter.signed_result(result(job, state="cancelled")))
    bob.check_result(JOB, parties.worker.signed_result(result(job, state="cancelled")))


def test_a_stranger_cannot_even_cancel(parties: Parties, job: Manifest) -> None:
    for forged in (
        result(job, state="cancelled"),
        Identity(parties.mallory).signed_result(result(job, state="cancelled")),
    ):
        with pytest.raises(Untrusted):
            parties.submitter.check_result(JOB, forged)


def test_a_result_of_a_job_that_was_not_submitted_is_refused(parties: Parties) -> None:
    """A worker that trusts everybody ran what a neighbour put in the job's place, and signed what came of it."""
    for swapped in (manifest(), Identity(parties.mallory).signed_manifest(manifest())):
        end = Identity(parties.gpu1).signed_result(result(swapped))
        with pytest.raises(Untrusted, match="the job that it names does not hold"):
            parties.submitter.check_result(JOB, end)


def test_a_result_whose_job_is_another_is_refused(parties: Parties, job: Manifest) -> None:
    for changes in ({"manifest": job.model_copy(update={"id": OTHER})}, {"spec_sha256": "cd" * 32}):
        end = Identity(parties.gpu1).signed_result(result(job, **changes))
        with pytest.raises(Untrusted, match="the job in it is another one"):
            parties.submitter.check_result(JOB, end)


def test_who_only_reads_needs_to_know_the_workers_alone(parties: Parties, end: Result) -> None:
    Identity(workers=(parties.gpu1.public,)).check_result(JOB, end)


def test_ones_own_key_counts_for_results(parties: Parties, job: Manifest) -> None:
    """A machine that submits and works for itself."""
    own = Identity(parties.alice, workers=(parties.gpu1.public,))
    own.check_result(JOB, Identity(parties.alice).signed_result(result(job)))


def test_a_cached_step_is_bound_to_its_digest_payload_and_facts(parties: Parties) -> None:
    step = ("d1", "ab" * 32, 5, {"samples": 24000})
    signature = parties.worker.step_signature(*step)
    assert parties.worker.trusts_step(signature, *step)
    others = [
        ("d2", *step[1:]),
        ("d1", "cd" * 32, 5, step[3]),
        ("d1", "ab" * 32, 6, step[3]),
        (*step[:3], {"samples": 1}),
    ]
    for digest, sha256, size_bytes, facts in others:
        assert not parties.worker.trusts_step(signature, digest, sha256, size_bytes, facts)
    assert not parties.worker.trusts_step(None, *step)
    assert not parties.worker.trusts_step(Identity(parties.mallory).step_signature(*step), *step)
    assert not Identity(parties.mallory).trusts_step(signature, *step), "a key of one's own is enough to be strict"


def test_who_names_submitters_and_knows_no_worker_uses_no_cached_step(parties: Parties) -> None:
    """What went wrong: a worker that ran signed jobs alone put a neighbour's unsigned steps into their results."""
    step = ("d1", "ab" * 32, 5, {"samples": 24000})
    strict = Identity(submitters=(parties.alice.public,))
    for signature in (None, parties.worker.step_signature(*step)):
        assert not strict.trusts_step(signature, *step)
    assert not strict.uses_steps
    assert all(one.uses_steps for one in (NOBODY, parties.worker, Identity(parties.gpu1, strict.submitters)))
