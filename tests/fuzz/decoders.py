"""Every decoder of what others wrote, as a function of bytes: it returns, or raises what its docstring says, or it is wrong.

Invariant: nothing here writes outside a temporary folder of its own, or asks a network.
"""

from __future__ import annotations

import io
import json
import tempfile
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from gpujob import cache, ids, keys, names, queue, records, why
from gpujob.buckets.folder import names as folder_names
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.opening import parse_url
from gpujob.decisions import judge, look_again_at, taken
from gpujob.errors import Configuration, CorruptRecord, InvalidSpec, JobFailed, UnsafeName, WrongProtocol
from gpujob.plain_text import clean
from gpujob.protocol.status import of_lease, of_result
from gpujob.settings import load as load_settings
from gpujob.signing.canonical import manifest_bytes, result_bytes
from gpujob.signing.public import parse_key
from gpujob.specs import parse_spec_bytes
from gpujob.specs.quantities import format_duration, format_size, parse_duration, parse_size
from gpujob.specs.voices import parse_language, parse_voice
from gpujob_cli.describing import full, row
from gpujob_cli.endings import summary
from gpujob_cli.progress import Pace, line_of
from gpujob_cli.shapes import of_status
from gpujob_worker.checking import check_input
from gpujob_worker.children import messages
from gpujob_worker.speech.sentences import split, tidy
from gpujob_worker.speech.wav import NotOurWav, read_wav
from gpujob_worker.video.probing import from_banner, from_ffprobe
from gpujob_worker.video.progress import ProgressReader

from .answers import ANSWERS

ID = "01jd3k8v9x2m4n6p8q0r2s4t6v"
NOW = 1_750_000_000.0
MOVING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
JOINERS = {"\u200c", "\u200d"}  # of the category Cf, and part of words
UNREADABLE = (CorruptRecord, WrongProtocol)
MODELS: tuple[type[records.Record], ...] = (
    records.Manifest,
    records.Hint,
    records.Lease,
    records.Result,
    records.Presence,
    records.QueueConfig,
    cache.CachedStep,
)

Decoder = Callable[[bytes], object]
_FOLDER = Path(tempfile.mkdtemp(prefix="gpujob-fuzz-"))


def text_of(data: bytes) -> str:
    """Text of any bytes, half characters included."""
    return data.decode("utf-8", "surrogateescape")


def _require(holds: bool) -> None:
    assert holds


def record(model: type[records.Record], data: bytes) -> None:
    """What is read is written again as something that reads the same, and can be shown."""
    try:
        found = records.decode(model, f"fuzz/{model.__name__}", data)
    except UNREADABLE as error:
        _require(len(error.message) < 2000)
        return
    assert records.decode(model, "again", found.body()) == found
    if isinstance(found, records.Manifest):
        _of_manifest(found)
    elif isinstance(found, records.Lease):
        judge(found, NOW - 10, NOW)
        look_again_at(found, NOW - 10)
        again = taken(found, worker="w", nonce="0" * 32, ttl_s=30, beat_s=10, now=NOW)
        records.decode(records.Lease, "taken", again.body())
        _show(of_lease(found, NOW - 10))
    elif isinstance(found, records.Result):
        result_bytes(found)
        summary(found, verified=True)
        _show(of_result(found))
    elif isinstance(found, records.Presence):
        why.gpu_memory_bytes(found)


def _of_manifest(found: records.Manifest) -> None:
    manifest_bytes(found)
    keys.pending(found.priority, ID, found.kind)
    try:
        check_input(found)
    except JobFailed:
        return


def _show(status: Any) -> None:
    if not ids.is_id(status.id):
        return  # whoever reads it for showing demands the id that is in the key
    presence = records.Presence(id="w", session="s", started_at=NOW, kinds=("echo",))
    line, reason = line_of(status, [(presence, 1.0)], now=NOW, ahead=3, pace=Pace())
    letters = set(line.plain + clean(row(status, NOW))) - JOINERS
    assert not {unicodedata.category(one) for one in letters} & MOVING
    json.dumps([full(status, reason, NOW), of_status(status)], allow_nan=False)


def waiting_job(data: bytes) -> None:
    """A pending object, hint or manifest."""
    key = keys.pending("normal", ID, "echo")
    where = keys.parse_pending(key)
    assert where is not None
    try:
        if records.is_hint(data):
            records.decode(records.Hint, key, data, whose=ID)
        else:
            records.waiting_job(key, data, where)
        records.held_key("unique/x.json", data)
    except UNREADABLE:
        return


def queue_json(data: bytes) -> None:
    """The configuration of a whole queue: nobody may beat, or list, as fast as it can."""
    bucket = MemoryBucket()
    bucket.create(keys.QUEUE, data)
    try:
        config = queue.load(bucket)
    except (Configuration, WrongProtocol):
        return
    assert config is not None and config.beat_s >= 0.05 and config.ttl_s >= 2 and config.beat_s < config.ttl_s


def key_names(data: bytes) -> None:
    """Keys of a listing: what is taken apart is put together as the same key."""
    text = text_of(data)
    for key in (text, f"pending/{text}", f"leased/{text}", f"done/{text}.json", f"workers/{text}", f"artifacts/{text}"):
        pending, worker, artifact = keys.parse_pending(key), keys.parse_worker(key), keys.parse_artifact(key)
        assert pending is None or keys.pending(*pending) == key
        assert worker is None or keys.worker(worker) == key
        assert artifact is None or key.startswith(keys.job_artifacts(artifact.id))
        for prefix, build in ((keys.LEASED, keys.leased), (keys.DONE, keys.done)):
            job_id = keys.parse_job(key, prefix)
            assert job_id is None or build(job_id) == key
    if ids.is_id(text):
        assert ids.created_at(text) >= 0
    if keys.is_idempotency_key(text):
        assert keys.unique(text).count("/") == 1


def file_names(data: bytes) -> None:
    """Names of artifacts and inputs, and the files of a folder store: what passes stays inside."""
    text = text_of(data)
    try:
        names.check_names(text.split("\n"))
    except UnsafeName:
        pass
    else:
        for name in text.split("\n"):
            assert name.isprintable() and not Path(name).is_absolute() and ".." not in Path(name).parts
    folder_names.key_part(text)
    try:
        path = folder_names.file_of(text)
    except UnsafeName:
        return
    assert ".." not in path.split("/") and not path.startswith("/")


def spec(data: bytes) -> None:
    """A spec in JSON, JSON lines or YAML: valid, or refused with places."""
    try:
        found = parse_spec_bytes(data, source="fuzz", allow_unknown_kind=True)
    except InvalidSpec as error:
        _require(bool(error.problems))
        return
    for one in found:
        json.dumps(one.canonical(), allow_nan=False)


def words(data: bytes) -> None:
    """The small languages: durations, sizes, voices, stores' URLs, public keys."""
    text = text_of(data)
    for parse in (parse_duration, parse_size, parse_voice, parse_language, parse_key):
        try:
            value: Any = parse(text)
        except ValueError:
            continue
        if parse is parse_duration:
            format_duration(value)
        elif parse is parse_size:
            format_size(value)
    for url in (text, f"s3://{text}", f"file://{text}", f"gs://{text}"):
        try:
            parse_url(url)
        except Configuration:
            continue


def settings(data: bytes) -> None:
    """A project's gpujob.toml and .env."""
    for name in ("gpujob.toml", ".env"):
        (_FOLDER / name).write_bytes(data)
        with suppress(Configuration):
            load_settings(folder=_FOLDER, environ={"HOME": str(_FOLDER)})
        (_FOLDER / name).unlink()


def wav(data: bytes) -> None:
    """A step's sound from the cache."""
    path = _FOLDER / "sound.wav"
    path.write_bytes(data)
    try:
        sound = read_wav(path)
    except NotOurWav:
        return
    assert len(sound) <= len(data)


def pipe(data: bytes) -> None:
    """What comes through a child's pipe."""
    stream = io.BytesIO(data)
    try:
        while (message := messages.read(stream)) is not None:
            assert isinstance(message, dict)
    except messages.Garbled:
        return


def media(data: bytes) -> None:
    """What ffmpeg and ffprobe say of somebody's file."""
    text = data.decode(errors="replace")
    from_ffprobe(text)
    from_banner(text)
    from_banner(f"Input #0, mov, from 'x':\n  Duration: 00:00:01.0\n  Stream #0:0: Video: {text}")
    reader = ProgressReader(10.0)
    for piece in (data[:7], data[7:], b"\nprogress=continue\n"):
        reader.feed(piece)
        assert 0 <= reader.share <= 1


def shown(data: bytes) -> None:
    """Text for a terminal, and text that is to be spoken."""
    text = text_of(data)
    letters = set(clean(text) + clean(text, lines=True)) - JOINERS - {"\n", "\t"}
    assert not {one for one in letters if unicodedata.category(one) in MOVING}
    assert not {"\n", "\t"} & set(clean(text))
    split(tidy(data.decode(errors="replace")))


def unpack(data: bytes) -> None:
    """A hostile step cache: the facts, and the payload beside them."""
    bucket = MemoryBucket()
    step = {"fuzz": 1}
    bucket.create(keys.cache_entry(cache.digest_of(step)), data)
    target = _FOLDER / "payload"
    assert cache.BucketStepCache(bucket).get(step, target) is None or target.is_file()


DECODERS: dict[str, Decoder] = {
    **ANSWERS,
    **{f"record {model.__name__}": partial(record, model) for model in MODELS},
    "waiting job": waiting_job,
    "queue.json": queue_json,
    "keys": key_names,
    "file names": file_names,
    "spec": spec,
    "words": words,
    "settings": settings,
    "wav": wav,
    "pipe": pipe,
    "media": media,
    "text": shown,
    "cache": unpack,
}
