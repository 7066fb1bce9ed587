"""What a fuzzer starts from: one good input and more for each decoder, so that it need not invent JSON first."""

from __future__ import annotations

import json
from pathlib import Path

from gpujob.cache import CachedStep
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


def seeds() -> list[bytes]:
    """All of them, none larger than `MOST_BYTES`."""
    wave = b"RIFF$\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\xc0]\x00\x00\x80\xbb\x00\x00\x02\x00\x10\x00data"
    texts = [one.encode() for one in (*WORDS, *NAMES)]
    found = [
        *_records(),
        *no_records(),
        *texts,
        BANNER,
        json.dumps(PROBED).encode(),
        TOML,
        wave + b"\x04\x00\x00\x00abcd",
    ]
    found += [path.read_bytes() for path in sorted((ROOT / "examples" / "specs").rglob("*.*"))]
    found += [b"out_time_us=500000\nprogress=continue\n", b'{"op":"log","text":"hi"}\n', b"a: &a [1]\nb: [*a, *a]\n"]
    return [one for one in found if len(one) <= MOST_BYTES]
