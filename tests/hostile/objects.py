"""Objects that no party of ours writes: each is (key, body), and each is wrong in one way that somebody thought of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gpujob import keys
from gpujob.chance import Random
from gpujob.decisions import first_lease
from gpujob.ids import new_id
from gpujob.records import MAX_RECORD_BYTES, Hint, Manifest, Presence, Result

AT = 1_700_000_000.0  # older than every job of the tests, so that these come first
NONCE = "0" * 32
ESCAPES = "\x1b[31mred\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x9b2J\u202ebidi\r\n[red]markup[/red]"

Body = dict[str, Any]
Hostile = tuple[str, bytes]


class Maker:
    """Draws ids, and makes the bodies that are altered afterwards."""

    def __init__(self, seed: int = 5) -> None:
        self._rng = Random(seed)

    def id(self) -> str:
        """A fresh id, older than the tests' own."""
        return new_id(AT, self._rng)

    def manifest(self, job_id: str, **more: Any) -> Body:
        """A manifest as gpujob writes it, with `more` in it."""
        spec = {"kind": "echo", "input": {"message": "hello"}}
        made = Manifest(id=job_id, kind="echo", spec=spec, spec_sha256="0" * 64, created_at=AT, nonce=NONCE)
        return json.loads(made.body()) | more

    def lease(self, job_id: str, **more: Any) -> Body:
        """A lease as gpujob writes it, with `more` in it."""
        manifest = Manifest.model_validate(self.manifest(job_id))
        made = first_lease(manifest, worker="w", nonce=NONCE, ttl_s=30, beat_s=10, first_seen=AT, now=AT)
        return json.loads(made.body()) | more

    def result(self, job_id: str, **more: Any) -> Body:
        """A result as gpujob writes it, with `more` in it."""
        manifest = Manifest.model_validate(self.manifest(job_id))
        made = Result(id=job_id, kind="echo", state="failed", nonce=NONCE, finished_at=AT, manifest=manifest)
        return json.loads(made.body()) | more

    def hint(self, job_id: str, **more: Any) -> Body:
        """A hint as gpujob writes it, with `more` in it."""
        made = Hint(id=job_id, kind="echo", priority="normal", not_before=0.0, expires_at=AT * 2, nonce=NONCE)
        return json.loads(made.body()) | more

    def presence(self, worker: str, **more: Any) -> Body:
        """A presence record as gpujob writes it, with `more` in it."""
        made = Presence(id=worker, session="s", started_at=AT, kinds=("echo",))
        return json.loads(made.body()) | more


def no_records() -> Iterator[bytes]:
    """Bodies that are no record of any kind."""
    yield b""
    yield b"\x00\xff\xfe not text"
    yield b"null"
    yield b"[]"
    yield b'"a text"'
    yield b"{}"
    yield b"{" * 100_000
    yield b"[" * 100_000 + b"]" * 100_000
    yield b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    yield b'{"id": "' + b"x" * MAX_RECORD_BYTES + b'"}'
    yield b'{"protocol": ' + b"9" * 5_000 + b"}"
    yield b'{"id": "\\ud800"}'
    yield json.dumps({ESCAPES: ESCAPES}).encode()


def foreign_keys() -> Iterator[str]:
    """Keys under our prefixes that gpujob never writes, and keys that belong to nobody."""
    for prefix in ("pending/", "pending/5/", "leased/", "done/", "unique/", "workers/", "cache/", "artifacts/"):
        yield f"{prefix}../../etc/passwd"
        yield f"{prefix}nodots"
        yield f"{prefix}{'x' * 800}.json"
        yield f"{prefix}schön ☃ 日本.json"
        yield f"{prefix}\x1b[2J\x07.json"
        yield f"{prefix}a\nb.json"
    yield "readme.txt"
    yield "\x01"


def _key(prefix: str, job_id: str) -> str:
    return keys.pending("high", job_id, "echo") if prefix == keys.PENDING else f"{prefix}{job_id}.json"


def corrupt_jobs(maker: Maker) -> Iterator[Hostile]:
    """Good keys of jobs under which stands what no job can be. A high priority, so that they are met first."""
    for prefix in (keys.PENDING, keys.LEASED, keys.DONE):
        for body in no_records():
            yield _key(prefix, maker.id()), body
    yield from _pending(maker)
    yield from _leased(maker)
    yield from _done(maker)


def _pending(maker: Maker) -> Iterator[Hostile]:
    wrong: list[Body] = [
        {"kind": "../../x"},
        {"priority": "normal"},
        {"ttl_s": 1e308},
        {"ttl_s": -1},
        {"timeout_s": 0},
        {"created_at": -1e300},
        {"nonce": "../../x"},
        {"idempotency_key": "../x"},
        {"files": [{"name": "a", "sha256": "../../x", "size_bytes": 1}]},
        {"retry": {"max_attempts": 10**9}},
    ]
    for more in wrong:
        job_id = maker.id()
        yield _key(keys.PENDING, job_id), json.dumps(maker.manifest(job_id, **({"priority": "high"} | more))).encode()
    yield _key(keys.PENDING, maker.id()), json.dumps(maker.manifest(maker.id(), priority="high")).encode()
    for number in (b"NaN", b"Infinity", b"1e999"):
        body = json.dumps(maker.manifest(job_id := maker.id(), priority="high", spec={"a": 7777})).encode()
        yield _key(keys.PENDING, job_id), body.replace(b"7777", number)
    for more in ({"not_before": float("nan")}, {"expires_at": 1e300}, {"id": 5}):
        yield _key(keys.PENDING, job_id := maker.id()), json.dumps(maker.hint(job_id) | more).encode()


def _leased(maker: Maker) -> Iterator[Hostile]:
    wrong: list[Body] = [
        {"ttl_s": 1e308},
        {"ttl_s": 1e-9},
        {"beat_s": 1e-9},
        {"beat_s": -5},
        {"expires_at": float("nan")},
        {"expires_at": float("inf")},
        {"not_before": 1e300},
        {"epoch": 10**4000},
        {"losses": -1},
        {"beat": -7},
        {"state": "dance"},
        {"nonce": "../../x"},
        {"progress": {"done": float("nan")}},
        {"progress": {"done": -1}},
        {"history": [{"attempt": 1}]},
    ]
    for more in wrong:
        job_id = maker.id()
        yield _key(keys.LEASED, job_id), json.dumps(maker.lease(job_id, **more)).encode()
    yield _key(keys.LEASED, maker.id()), json.dumps(maker.lease(maker.id())).encode()
    job_id = maker.id()
    yield _key(keys.LEASED, job_id), json.dumps(maker.lease(job_id, manifest=maker.manifest(maker.id()))).encode()


def _done(maker: Maker) -> Iterator[Hostile]:
    wrong: list[Body] = [
        {"state": "running"},
        {"nonce": "../x"},
        {"finished_at": 1e300},
        {"timings": {"queue": float("inf")}},
        {"kind": "A/B"},
        {"output": {"total_duration": float("nan")}},
        {"artifacts": [{"name": "a"}]},
    ]
    for more in wrong:
        job_id = maker.id()
        yield _key(keys.DONE, job_id), json.dumps(maker.result(job_id, **more)).encode()
    yield _key(keys.DONE, maker.id()), json.dumps(maker.result(maker.id())).encode()


def others(maker: Maker) -> Iterator[Hostile]:
    """Presence records, idempotency keys and cache entries of that sort."""
    for number, body in enumerate(no_records()):
        yield keys.worker(f"bad-{number}"), body
        yield keys.unique(f"bad-{number}"), body
        yield keys.cache_entry(f"{number:064x}"), body
    yield keys.worker("other"), json.dumps(maker.presence("somebody")).encode()
    yield keys.worker("forever"), json.dumps(maker.presence("forever", every_s=1e300)).encode()
    yield keys.worker("many"), json.dumps(maker.presence("many", jobs_done=10**40)).encode()
    yield keys.unique("escapes"), json.dumps(maker.manifest("../../x")).encode()


def everything(seed: int = 5) -> list[Hostile]:
    """All of it, each key once."""
    maker = Maker(seed)
    found = [*corrupt_jobs(maker), *others(maker), *((key, b"{}") for key in foreign_keys())]
    return list(dict(found).items())
