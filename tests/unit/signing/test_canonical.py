"""The signed bytes: what they are, that they cover everything, and that they outlive the way through the bucket."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gpujob.records import Lease, Manifest, Record, Result
from gpujob.signing import canonical
from gpujob.signing.canonical import MANIFEST_FIELDS, RESULT_FIELDS, manifest_bytes, result_bytes, step_bytes
from tests.sizing import pick
from tests.unit.signing.parties import JOB, NOW, manifest, result, stripped

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)


def through_the_bucket(record: Record) -> Record:
    return type(record).model_validate_json(record.body())


def test_every_field_of_protocol_1_is_signed() -> None:
    """A field that a record gets is either listed here, with a new first line, or is left unsigned on purpose."""
    job = manifest()
    assert set(MANIFEST_FIELDS) == stripped(job)
    assert set(RESULT_FIELDS) == stripped(result(job))


def test_every_field_inside_them_is_signed() -> None:
    job = manifest()
    end = result(job)
    parts: list[tuple[Record, dict[str, Any]]] = [
        (job.retry, MANIFEST_FIELDS["retry"]),
        (job.files[0], MANIFEST_FIELDS["files"]["__all__"]),
        (end.timings, RESULT_FIELDS["timings"]),
        (end.artifacts[0], RESULT_FIELDS["artifacts"]["__all__"]),
        (end.history[0], RESULT_FIELDS["history"]["__all__"]),
    ]
    assert end.error is not None
    for record, fields in [*parts, (end.error, RESULT_FIELDS["error"])]:
        assert set(fields) == set(type(record).model_fields), type(record).__name__
    assert set(RESULT_FIELDS["manifest"]) == {*MANIFEST_FIELDS, "signature"}


def test_the_form_is_the_one_in_the_docs() -> None:
    """Made without this code: sorted keys, no spaces, UTF-8, what is absent left out, floats as floats."""
    job = manifest(spec={"kind": "echo", "b": 1, "a": [2.5, "grüße\n", None], "z": 1e22})
    fields = {
        "protocol": 1, "id": JOB, "idempotency_key": "tour-1", "kind": "echo", "spec": job.spec, "spec_sha256": job.spec_sha256,
        "priority": "normal", "labels": {"a": "b"}, "title": "Tour", "submitted_by": "alice@pc", "created_at": NOW,
        "ttl_s": 86400.0, "timeout_s": 900.0, "retry": {"max_attempts": 3, "initial_s": 5.0, "max_s": 120.0},
        "requires": {"gpu_memory": "8GB"}, "warnings": ["w"], "retry_of": job.retry_of, "nonce": "n1",
        "files": [{"name": file.name, "sha256": file.sha256, "size_bytes": file.size_bytes} for file in job.files],
    }  # fmt: skip
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert manifest_bytes(job).decode() == "gpujob manifest 1\n" + text
    assert '"spec":{"a":[2.5,"grüße\\n",null],"b":1,"kind":"echo","z":1e+22}' in text


def test_each_kind_of_record_has_a_first_line_of_its_own() -> None:
    """So that a signature of one can never pass as that of another."""
    job = manifest()
    made = [manifest_bytes(job), result_bytes(result(job)), step_bytes("d", "s", 1, {})]
    assert [text.split(b"\n")[0] for text in made] == [b"gpujob manifest 1", b"gpujob result 1", b"gpujob cache 1"]


def test_what_is_absent_is_left_out_and_defaults_are_there() -> None:
    bare = Manifest(id=JOB, kind="echo", spec={}, spec_sha256="", created_at=5, nonce="n")
    found = json.loads(manifest_bytes(bare).split(b"\n")[1])
    assert found["created_at"] == 5.0 and b'"created_at":5.0,' in manifest_bytes(bare)
    assert "title" not in found and found["labels"] == {} and found["retry"]["max_attempts"] == 3


@settings(max_examples=pick(40, 200), deadline=None)
@given(spec=OBJECTS, requires=OBJECTS, title=TEXT, at=st.floats(0, 1e11), ttl=st.integers(1, 10**8))
def test_a_job_is_the_same_after_pending_the_lease_and_done(
    spec: dict[str, Any], requires: dict[str, Any], title: str, at: float, ttl: int
) -> None:
    """Signed over what is read, it stays valid however often it is written into another record and read again."""
    made = manifest(spec=spec, requires=requires, title=title, created_at=at, ttl_s=ttl)
    read = through_the_bucket(made)
    assert isinstance(read, Manifest)
    signed = manifest_bytes(read)
    lease = Lease(
        id=JOB,
        manifest=read,
        state="run",
        worker="w",
        nonce="n",
        epoch=1,
        attempt=1,
        ttl_s=30,
        beat_s=10,
        expires_at=at,
    )
    leased = through_the_bucket(through_the_bucket(lease))
    assert isinstance(leased, Lease)
    assert manifest_bytes(leased.manifest) == signed
    ended = through_the_bucket(result(leased.manifest))
    assert isinstance(ended, Result) and ended.manifest is not None
    assert manifest_bytes(ended.manifest) == signed


@settings(max_examples=pick(40, 200), deadline=None)
@given(output=OBJECTS, worker=OBJECTS, engine=OBJECTS, message=TEXT, queue=st.floats(0, 1e9) | st.integers(0, 10**9))
def test_a_result_is_the_same_however_often_it_is_read(
    output: dict[str, Any], worker: dict[str, Any], engine: dict[str, Any], message: str, queue: float
) -> None:
    made = result(manifest(), output=output, worker=worker, engine=engine, warnings=(message,))
    made = made.model_copy(update={"timings": made.timings.model_copy(update={"queue": queue})})
    once = through_the_bucket(made)
    again = through_the_bucket(once)
    assert isinstance(once, Result) and isinstance(again, Result)
    assert result_bytes(once) == result_bytes(again)


def test_the_fields_are_listed_in_the_docs() -> None:
    from tests.docs.pages import ROOT

    page = (ROOT / "docs" / "signing.md").read_text(encoding="utf-8")
    for name in {*MANIFEST_FIELDS, *RESULT_FIELDS}:
        assert name in page, name
    for domain in (canonical.MANIFEST_DOMAIN, canonical.RESULT_DOMAIN, canonical.CACHE_DOMAIN):
        assert domain.decode().strip() in page
