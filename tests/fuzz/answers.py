"""Decoders of what stores, daemons and registries answer, and of files that others may have made: keys, models, objects.

Invariant: as in `decoders`: nothing is written outside a temporary folder, and no network is asked.
"""

from __future__ import annotations

import json
import math
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.parsers import ResponseParserError, create_parser
from botocore.session import Session
from pydantic import ValidationError

from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.gcs_dialect import GENERATION, HASH, md5_in_hash, name_version, name_versions, take_condition
from gpujob.buckets.gcs_facts import BucketFacts, advisories, facts_in
from gpujob.buckets.s3_answers import entry_of
from gpujob.errors import BucketError, Configuration, JobFailed, PreconditionFailed, Unavailable
from gpujob.models.voicepack import ARRAY_BYTES, read_tarball
from gpujob.records import QueueConfig
from gpujob.signing.private import load_key
from gpujob.signing.public import trusted_keys
from gpujob_cli.examinations import google_store, lifecycle_rules
from gpujob_cli.examinations.bucket_settings import judged, lifecycle
from gpujob_cli.examinations.identity import account_in, of_account
from gpujob_cli.examinations.policy_width import allowing, beyond
from gpujob_cli.examinations.public_access import open_statements
from gpujob_cli.examinations.rights import Reach, of_reach
from gpujob_cli.examinations.s3_asking import Answer
from gpujob_worker.chat.client import Model
from gpujob_worker.chat.daemon import version_in
from gpujob_worker.chat.fetching import Layers
from gpujob_worker.chat.recording import Answer as Heard
from gpujob_worker.chat.recording import facts_of, output_of
from gpujob_worker.chat.transcript import transcript
from gpujob_worker.image import snapshots
from gpujob_worker.video.loudness import measured

UNPARSED = (ResponseParserError, ValueError, TypeError, RuntimeError)
MODEL = Model("smollm2:135m", "0" * 64)
_FOLDER = Path(tempfile.mkdtemp(prefix="gpujob-fuzz-answers-"))


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


@cache
def _service() -> Any:
    return Session().get_service_model("s3")


def _s3_answer(operation: str, data: bytes) -> dict[str, Any]:
    """What botocore makes of an answer. Raises UNPARSED, which `S3Place.ask` and doctor's `ask` take for no answer."""
    shape = _service().operation_model(operation).output_shape
    answer: dict[str, Any] = create_parser("rest-xml").parse({"status_code": 200, "headers": {}, "body": data}, shape)
    return answer


def folder_object(data: bytes) -> None:
    """A file in a folder store that anybody may have put there: an object, whole or foreign."""
    root = _FOLDER / "store"
    (root / "done").mkdir(parents=True, exist_ok=True)
    (root / "done" / "x.json@").write_bytes(data)
    try:
        found = FolderBucket(root).get("done/x.json")
    except BucketError:
        return
    assert found is not None and found.size_bytes == len(found.body) and data.endswith(found.body)


def google_listing(data: bytes) -> None:
    """A listing of Google's, and the generations in it."""
    try:
        parsed = _s3_answer("ListObjectsV2", data)
        name_versions(parsed, SimpleNamespace(content=data))
        entries = [entry_of(row, "team/") for row in parsed.get("Contents", ())]
    except (*UNPARSED, Unavailable):
        return
    for entry in entries:
        _as_condition(entry.version)


def google_headers(data: bytes) -> None:
    """The headers of one of Google's answers: a generation, and the hashes of the body."""
    text = data.decode("latin-1")
    answer = {"ETag": '"x"', "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {GENERATION: text, HASH: text}}}
    assert len(md5_in_hash(answer)) in (0, 32)
    try:
        name_version(answer)
    except Unavailable:
        return
    _as_condition(str(answer["ETag"]))


def _as_condition(version: str) -> None:
    """What was read as a version goes out again as a condition of digits, or nothing goes out."""
    context: dict[str, Any] = {}
    try:
        take_condition({"Key": "done/x.json", "IfMatch": f'"{version}"'}, context)
    except PreconditionFailed:
        return
    (condition,) = context.values()
    assert condition.isascii() and condition.isdecimal() and int(condition) > 0


def google_bucket(data: bytes) -> None:
    """What Google's JSON API says of a bucket: soft delete, versions, lifecycle rules."""
    found = facts_in(data)
    if found is None:
        return
    assert isinstance(found, BucketFacts)
    advisories("bucket", found)
    for finding in lifecycle(google_store.rules_of(found.lifecycle or ()), "team/", QueueConfig()):
        json.dumps(finding.as_dict(), allow_nan=False)


def google_rules(data: bytes) -> None:
    """Lifecycle rules in Google's words, of any shape."""
    found = _json(data)
    rules = google_store.rules_of(found if isinstance(found, list) else [found])
    lifecycle_rules.old_versions_days(rules, "team/")
    list(lifecycle(rules, "team/", QueueConfig()))


def bucket_settings(data: bytes) -> None:
    """A bucket's versioning, lifecycle rules, lock and encryption, as S3 answers."""
    names = {
        "versions": "GetBucketVersioning",
        "lifecycle": "GetBucketLifecycleConfiguration",
        "lock": "GetObjectLockConfiguration",
        "encryption": "GetBucketEncryption",
    }
    try:
        given = {check: Answer("given", _s3_answer(name, data)) for check, name in names.items()}
    except UNPARSED:
        return
    for finding in judged(given, "bucket", "team/", QueueConfig(), 1000.0, None):
        json.dumps(finding.as_dict(), allow_nan=False)


def policies(data: bytes) -> None:
    """A bucket's policy, and MinIO's account with its own."""
    open_statements(data.decode("utf-8", "surrogateescape"), "bucket", "team/")
    account = account_in(data)
    if account:
        json.dumps(of_account(account).as_dict())
    for document in (account.get("Policy"), _json(data)):
        phrases = beyond(allowing(document), "bucket", "team/")
        json.dumps(of_reach(Reach(), phrases).as_dict())


def key_files(data: bytes) -> None:
    """The file of a private key, and one of public keys."""
    private, public = _FOLDER / "some.pem", _FOLDER / "some.pub"
    private.touch(mode=0o600)
    for path, read in ((private, lambda: load_key(private)), (public, _read_public)):
        path.write_bytes(data)
        with suppress(Configuration):
            read()


def _read_public() -> None:
    assert trusted_keys([str(_FOLDER / "some.pub")], folder=_FOLDER, setting="fuzz")


def image_model(data: bytes) -> None:
    """The folder of a model of diffusers, and what its index makes a fetch choose."""
    folder = _FOLDER / "model"
    (folder / "unet").mkdir(parents=True, exist_ok=True)
    for name in (snapshots.INDEX, "unet/config.json"):
        (folder / name).write_bytes(data)
    names = [snapshots.INDEX, *data.decode(errors="replace").split('"')]
    with suppress(JobFailed):
        chosen = snapshots.files_to_fetch(snapshots.read_json(folder / snapshots.INDEX), names, half=True)
        assert set(chosen) <= set(names) and not any(name.endswith((".bin", ".pt", ".ckpt")) for name in chosen)
    snapshots.missing_parts(folder)
    snapshots.wants_bfloat16(folder)
    snapshots.identity(folder)


def ollama_stream(data: bytes) -> None:
    """An answer of a daemon, a piece a line, and what a result and a transcript make of it."""
    import ollama

    heard, layers = Heard(), Layers()
    for line in data.splitlines() or [b""]:
        found = _json(line)
        if isinstance(found, dict):
            with suppress(ValidationError):  # what the package itself refuses
                heard.add(ollama.ChatResponse(**found))
            with suppress(ValidationError):
                layers.add(ollama.ProgressResponse(**found))
    assert math.isfinite(layers.total_bytes) and layers.done_bytes >= 0
    version_in(data)
    if heard.last is not None:
        output, _ = output_of(heard, MODEL, "json")
        json.dumps(output, allow_nan=False).encode()
        facts = facts_of(output, "0.1", "cpu")
        transcript(MODEL.name, [], heard.content, thinking=heard.thinking, facts=facts).encode()


def voices(data: bytes) -> None:
    """A package of npm with voices in it."""
    path = _FOLDER / "voices.tgz"
    path.write_bytes(data)
    try:
        found = read_tarball(path, "package/voices")
    except (tarfile.TarError, EOFError):
        return
    assert all(len(one) == ARRAY_BYTES for one in found.values())


def loudness(data: bytes) -> None:
    """What ffmpeg measured."""
    measured(data.decode(errors="replace"))


ANSWERS: dict[str, Callable[[bytes], object]] = {
    "folder object": folder_object,
    "google listing": google_listing,
    "google headers": google_headers,
    "google bucket": google_bucket,
    "google rules": google_rules,
    "bucket settings": bucket_settings,
    "policies": policies,
    "key files": key_files,
    "image model": image_model,
    "ollama": ollama_stream,
    "voices": voices,
    "loudness": loudness,
}
