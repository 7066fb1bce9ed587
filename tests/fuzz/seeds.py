"""What a fuzzer starts from: one good input and more for each decoder, so that it need not invent JSON first."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from gpujob.cache import CachedStep
from gpujob.models.voicepack import ARRAY_BYTES
from gpujob.records import QueueConfig
from tests.hostile.objects import Maker, no_records

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 100_000

PROBED = {
    "streams": [
        {"codec_type": "video", "codec_name": "h264", "width": 64, "height": 48, "avg_frame_rate": "30000/1001",
         "side_data_list": [{"rotation": -90}], "disposition": {"attached_pic": 0}},
        {"codec_type": "audio", "codec_name": "aac", "sample_rate": "48000", "channels": 2},
    ],
    "format": {"format_name": "mov,mp4", "duration": "1.5"},
}  # fmt: skip
BANNER = b"""Input #0, mov,mp4, from 'x':
  Duration: 00:00:01.50, start: 0.000000
  Stream #0:0(und): Video: h264 (High), yuv420p, 64x48, 30 fps
      displaymatrix: rotation of -90.00 degrees
  Stream #0:1(und): Audio: aac (LC), 48000 Hz, stereo, fltp
"""
WORDS = (
    "1h30m",
    "400ms",
    "8GB",
    "512MiB",
    "af_bella(2)+af_sky(1)",
    "en-us",
    "s3://bucket/prefix",
    "file:///a/b",
    "s3://[",
)
NAMES = ("audio/step-1.wav", "a/../b", "pending/5/01jd3k8v9x2m4n6p8q0r2s4t6v.echo.json", "é\nE\u0301", "a@", "%2e%2e")
TOML = b'store = "s3://bucket"\n[profiles.work]\nstore = "file:///x"\n'
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
LISTING = (
    f'<?xml version="1.0"?><ListBucketResult xmlns="{NAMESPACE}"><Name>b</Name><KeyCount>1</KeyCount>'
    "<IsTruncated>false</IsTruncated><Contents><Key>team/done/x.json</Key><Generation>1750000000000000</Generation>"
    '<LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>"0"</ETag><Size>7</Size></Contents></ListBucketResult>'
)
LIFECYCLE = (
    f'<LifecycleConfiguration xmlns="{NAMESPACE}"><Rule><ID>tidy</ID><Status>Enabled</Status><Filter><Prefix>team/done/'
    "</Prefix></Filter><Expiration><Days>7</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1"
    "</NoncurrentDays></NoncurrentVersionExpiration><Transition><StorageClass>GLACIER</StorageClass></Transition></Rule>"
    "</LifecycleConfiguration>"
)
LOCK = (
    f'<ObjectLockConfiguration xmlns="{NAMESPACE}"><ObjectLockEnabled>Enabled</ObjectLockEnabled><Status>Enabled</Status>'
    "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
)
LOUDNESS = (
    '{"input_i" : "-23.1", "input_tp" : "-1.0", "input_lra" : "3.2", "input_thresh" : "-33.5", "target_offset" : "0.1"}'
)
PUBLIC = "# ours\ned25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= alice\n"
PEM = (  # 32 zeros, which sign for nobody; in two pieces, since the run looks for private keys that were written down
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBC"
    "IEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n"
)
_OBJECT = b"gpujob1 0123456789abcdef0123456789abcdef 1750000000.000000\n{}"


def _records() -> list[bytes]:
    maker = Maker()
    job_id = "01jd3k8v9x2m4n6p8q0r2s4t6v"
    full = maker.lease(job_id, progress={"done": 1, "total": 3, "message": "step 1", "partial": "so far"})
    found = [
        maker.manifest(job_id, idempotency_key="mine", labels={"a": "b"}),
        maker.hint(job_id),
        full | {"error": {"type": "engine", "message": "it failed"}, "losses": 1},
        maker.result(job_id, output={"total_duration": 1.5, "steps": [{"cached": True}]}, worker={"id": "w"}),
        maker.presence("w-1", machine={"gpu": "T4", "gpu_memory": 16_000_000_000}),
    ]
    bodies = [json.dumps(one).encode() for one in found]
    entry = CachedStep(sha256="0" * 64, size_bytes=3, facts={"seconds": 1.5})
    return [*bodies, QueueConfig().body(), entry.body()]


def _answers() -> list[bytes]:
    """What stores, daemons and registries say, and files with keys."""
    account = {"AccountName": "w", "Policy": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]},
        {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "x", "Condition": {"Null": {"a": "b"}}}]}}  # fmt: skip
    rules = [
        {"action": {"type": "Delete"}, "condition": {"age": 30, "isLive": True, "matchesPrefix": ["team/done/"]}},
        {"action": {"type": "SetStorageClass", "storageClass": "ARCHIVE"}, "condition": {"daysSinceNoncurrentTime": 3}},
    ]
    described = {
        "versioning": {"enabled": True},
        "softDeletePolicy": {"retentionDurationSeconds": "604800"},
        "lifecycle": {"rule": rules},
    }
    said = [
        {"model": "m", "message": {"role": "assistant", "content": "hi", "thinking": "so"}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": "{}"}, "done": True, "done_reason": "stop",
         "total_duration": 5_000_000, "eval_count": 2, "eval_duration": 1000, "prompt_eval_count": 1},
        {"status": "pulling", "digest": "sha256:0", "total": 100, "completed": 50},
    ]  # fmt: skip
    index = {"_class_name": "P", "unet": ["diffusers", "U"], "safety_checker": [None, None]}
    parsed = [account, account["Policy"], rules, described, index, {"version": "0.12.3"}]
    return [
        *(json.dumps(one).encode() for one in parsed),
        b"\n".join(json.dumps(one).encode() for one in said),
        *(one.encode() for one in (LISTING, LIFECYCLE, LOCK, LOUDNESS, "1750000000000000", PUBLIC)),
        b"crc32c=n03x6A==,md5=Ojk9c3dhfxgoKVVHYwFbHQ==",
        PEM.encode(),
        _OBJECT,
        a_tarball(),
    ]


def a_tarball() -> bytes:
    """A package of npm with one voice, of silence."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/voices/af_heart.bin")
        member.size = ARRAY_BYTES
        archive.addfile(member, io.BytesIO(bytes(ARRAY_BYTES)))
    return body.getvalue()


def seeds() -> list[bytes]:
    """All of them, none larger than `MOST_BYTES`."""
    wave = b"RIFF$\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\xc0]\x00\x00\x80\xbb\x00\x00\x02\x00\x10\x00data"
    texts = [one.encode() for one in (*WORDS, *NAMES)]
    found = [
        *_records(),
        *no_records(),
        *texts,
        *_answers(),
        BANNER,
        json.dumps(PROBED).encode(),
        TOML,
        wave + b"\x04\x00\x00\x00abcd",
    ]
    found += [path.read_bytes() for path in sorted((ROOT / "examples" / "specs").rglob("*.*"))]
    found += [b"out_time_us=500000\nprogress=continue\n", b'{"op":"log","text":"hi"}\n', b"a: &a [1]\nb: [*a, *a]\n"]
    return [one for one in found if len(one) <= MOST_BYTES]
