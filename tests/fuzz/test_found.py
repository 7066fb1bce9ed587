"""What the fuzzers found, each as a test named after what went wrong."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import boto3.session
import pytest
from ollama import ChatResponse, ProgressResponse

from gpujob import JobStore, MemoryBucket
from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.gcs_dialect import GENERATION, name_version, take_condition
from gpujob.buckets.gcs_facts import facts_in
from gpujob.buckets.opening import parse_url
from gpujob.buckets.s3 import open_s3
from gpujob.errors import Configuration, InvalidSpec, PreconditionFailed, Unavailable
from gpujob.models.voicepack import ARRAY_BYTES, read_tarball
from gpujob.records import QueueConfig
from gpujob.settings import load
from gpujob.signing.private import load_key
from gpujob.specs import parse_object
from gpujob_cli.examinations import google_store
from gpujob_cli.examinations.bucket_settings import judged
from gpujob_cli.examinations.lifecycle_rules import dangers, rules_of
from gpujob_cli.examinations.s3_asking import QUICK, Answer, ask
from gpujob_worker.chat.client import Model
from gpujob_worker.chat.daemon import version_in
from gpujob_worker.chat.fetching import Layers
from gpujob_worker.chat.recording import Answer as Heard
from gpujob_worker.chat.recording import output_of
from gpujob_worker.image.snapshots import INDEX, missing_parts
from gpujob_worker.speech.wav import NotOurWav, read_wav
from gpujob_worker.video.loudness import measured
from gpujob_worker.video.probing import from_banner, from_ffprobe
from tests.unit.buckets_s3 import canned

from .answers import UNPARSED
from .seeds import LISTING, a_tarball


def test_a_file_whose_name_is_no_text_ended_every_listing_of_a_folder_store(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.create("pending/a.json", b"{}")
    for folder in (tmp_path, tmp_path / "pending"):
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe@")).write_bytes(b"what is this")
    assert [entry.key for entry in bucket.list("").entries] == ["pending/a.json"]


@pytest.mark.parametrize(
    "url", ["s3://[", "s3://[]", "file://[x", "s3://[::1]x/y", "~\0", "file:///a%00b", "file:///\0"]
)
def test_a_bracket_in_a_stores_url_was_a_traceback(url: str) -> None:
    with pytest.raises(Configuration, match=r"not the URL of a store|does not name"):
        parse_url(url)


def test_the_home_of_a_user_who_is_not_there_was_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(Configuration, match="not the URL of a store"):
        parse_url("~nobody-of-that-name/queue")
    (tmp_path / "gpujob.toml").write_text('store = "~nobody-of-that-name/queue"')
    loaded = load(folder=tmp_path, environ={"HOME": str(tmp_path)})
    assert loaded.settings.store.endswith("/~nobody-of-that-name/queue")
    spec = parse_object(
        {"kind": "echo", "input": {"message": "hi"}, "files": [{"name": "a", "source": "~nobody-here/a"}]}
    )
    with pytest.raises(InvalidSpec, match="there is no file"):
        JobStore(MemoryBucket()).submit(spec, base_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "body"), [(".env", b"\xff\xfe"), ("gpujob.toml", b"a = " + b"[" * 20_000), ("gpujob.toml", b"\xff")]
)
def test_a_settings_file_that_is_no_text_or_too_deep_was_a_traceback(tmp_path: Path, name: str, body: bytes) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(Configuration, match=name):
        load(folder=tmp_path, environ={"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"streams": [5], "format": {}}',
        '{"streams": [{"codec_type": "video", "width": "wide", "height": 1}], "format": {}}',
        '{"streams": [{"codec_type": "audio", "sample_rate": 1e999}], "format": {}}',
        '{"streams": 7, "format": {}}',
        '{"format": 7}',
    ],
)
def test_a_probe_that_says_nonsense_says_nothing(text: str) -> None:
    assert from_ffprobe(text) is None


def test_a_chunk_longer_than_its_wav_file_was_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\xc0]\0\0\x80\xbb\0\0\2\0\x10\0\0\0ta\4\0\0\0abcd")
    with pytest.raises(NotOurWav):
        read_wav(path)


def test_a_banner_with_endless_numbers_is_no_traceback() -> None:
    nines = "9" * 10_000
    said = f"Input #0, mov, from 'x':\n  Duration: {nines}:00:00.0\n  Stream #0:0: Video: h264, {nines}x{nines}\n"
    said += f"  Stream #0:1: Audio: aac, {nines} Hz, {nines} channels\n      displaymatrix: rotation of ... degrees\n"
    assert from_banner(said) is not None


@pytest.mark.parametrize("generation", ["\u0663", "1" * 5000, "1" * 21, "+1", "1_0"], ids=range(5))
def test_a_generation_that_no_header_or_number_can_be_was_a_traceback(generation: str) -> None:
    answer: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {GENERATION: generation}}}
    with pytest.raises(Unavailable):
        name_version(answer)
    with pytest.raises(PreconditionFailed):
        take_condition({"Key": "x", "IfMatch": f'"{generation}"'}, {})


@pytest.mark.parametrize(
    ("was", "is_"),
    [("<Size>7<", "<Size>x<"), ("<Size>7<", "<Size>1</Size><Size>7<"), (">2026-01-02T", ">20299999999-01-02T")],
)
def test_a_listing_with_a_number_or_a_moment_that_is_none_was_a_traceback(was: str, is_: str) -> None:
    with canned.canned() as server:
        server.answers = [canned.Answer(body=LISTING.replace(was, is_).encode())]
        session = boto3.session.Session("key", "of-the-test", region_name="us-east-1")
        bucket = open_s3("queue", "team", session=session, endpoint_url=server.endpoint, timeouts=QUICK)
        with pytest.raises(Unavailable, match="cannot be read"):
            bucket.list("done/")


@pytest.mark.parametrize("kind", UNPARSED)
def test_what_botocore_could_not_read_broke_a_look_of_doctors(kind: type[Exception]) -> None:
    def question() -> None:
        raise kind("no number")

    assert ask(question).kind == "silent"


@pytest.mark.parametrize(
    "described",
    [
        b"[" * 100_000,
        b"7",
        b"[]",
        b'{"softDeletePolicy": null}',
        b'{"softDeletePolicy": {"retentionDurationSeconds": "soon"}}',
        b'{"softDeletePolicy": {"retentionDurationSeconds": Infinity}}',
        b'{"softDeletePolicy": {"retentionDurationSeconds": 1' + b"0" * 400 + b"}}",
        b'{"lifecycle": {"rule": [7]}}',
        b'{"lifecycle": {"rule": 7}}',
    ],
    ids=range(9),
)
def test_a_description_of_googles_that_is_none_was_a_traceback(described: bytes) -> None:
    assert facts_in(described) is None


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        {"action": "Delete", "condition": []},
        {"action": {"type": "Delete"}, "condition": {"age": "7"}},
        {"action": {"type": "Delete"}, "condition": {"age": 10**400}},
        {"action": {"type": "Delete"}, "condition": {"age": float("nan")}},
        {"action": {"type": "Delete"}, "condition": {"daysSinceNoncurrentTime": [], "matchesPrefix": 7}},
    ],
    ids=range(7),
)
def test_a_rule_of_googles_that_is_none_was_a_traceback(row: Any) -> None:
    for danger in dangers(google_store.rules_of([row]), "team/", 1.0):
        assert danger.text


def test_a_rule_of_endless_days_was_a_traceback() -> None:
    row = {"Status": "Enabled", "Expiration": {"Days": 10**400}}
    (danger,) = dangers(rules_of({"Rules": [row]}), "team/", 1.0)
    assert danger.fatal and "after 1e+09 days" in danger.text
    old = {"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 10**400}}
    found = {name: Answer("absent") for name in ("lock", "encryption")}
    found |= {"versions": Answer("given", {"Status": "Enabled"}), "lifecycle": Answer("given", {"Rules": [old]})}
    assert next(iter(judged(found, "b", "team/", QueueConfig(), 1.0, None))).status == "ok"


def test_a_private_key_of_an_unknown_kind_was_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "a.pem"
    path.touch(mode=0o600)
    body = "MC4CAQAwBQYDK2V6BC" + "IEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"  # 1.3.101.122: none that is in use
    path.write_text(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    with pytest.raises(Configuration):
        load_key(path)


def test_a_part_of_a_model_that_no_folder_can_be_called_was_a_traceback(tmp_path: Path) -> None:
    parts = ["9" * 400, "a\0b", "\ud800", "unet"]
    (tmp_path / INDEX).write_text(json.dumps({name: ["diffusers", "X"] for name in parts}))
    assert missing_parts(tmp_path) == parts


def test_a_package_of_voices_with_a_wrong_checksum_was_a_fault_of_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    without_end = gzip.decompress(a_tarball())[: 512 + ARRAY_BYTES]
    path.write_bytes(gzip.compress(without_end)[:-8] + bytes(8))
    with pytest.raises(tarfile.TarError):
        read_tarball(path, "package/voices")


@pytest.mark.parametrize("value", ["1" + "0" * 400, "[" * 100_000], ids=["endless", "deep"])
def test_a_loudness_that_is_no_number_was_a_traceback(value: str) -> None:
    assert measured(f'{{"input_i": {value}, "input_tp": 1}}') == {}


def test_half_a_character_of_a_daemons_was_a_traceback_and_so_were_endless_numbers() -> None:
    heard, nines = Heard(), 10**400
    said = {"message": {"role": "assistant", "content": "a\ud800", "thinking": "\udc00"}, "done": True}
    counts = {"total_duration": nines, "eval_count": nines, "eval_duration": -1, "done_reason": "\ud800"}
    heard.add(ChatResponse.model_validate(said | counts))
    output, _ = output_of(heard, Model("m", "0"), None)
    assert output["message"]["content"] == "a?" and heard.thinking == "?" and output["done_reason"] == "?"
    assert output["tokens"]["completion"] < 2**63 and output["times"]["completion"] == 0


def test_a_layer_of_endless_or_negative_size_was_a_traceback() -> None:
    layers = Layers()
    for total in (10**400, -5):
        layers.add(ProgressResponse(status="pulling", digest=f"sha256:{total}", total=total, completed=total))
    assert float(layers.done_bytes) == float(layers.total_bytes) > 0


def test_a_version_nested_without_end_was_a_traceback() -> None:
    assert version_in(b"[" * 65536) is None


def test_a_table_called_profile_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written for [profiles.work], it ended every command as a bug: a dictionary was looked up as a name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpujob.toml").write_text('[profile.work]\nstore = "file:///x"\n')
    with pytest.raises(Configuration, match="profile is the name of one") as told:
        load(folder=tmp_path, environ={})
    assert "[profiles.NAME]" in str(told.value.hint)
