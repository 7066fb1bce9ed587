"""Models kept in the bucket: by sha256, verified on the way back, and never in a job's way."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gpujob import keys, model_mirror, models
from gpujob.buckets.memory import MemoryBucket
from gpujob.models.catalogue import Model, ModelFile
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.model_cache import ModelCache

WEIGHTS, VOICES = b"weights " * 1000, b"voices " * 500


def file(name: str, data: bytes) -> ModelFile:
    return ModelFile(name, len(data), hashlib.sha256(data).hexdigest(), ())


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model of the catalogue that no source has: only the bucket."""
    made = Model("tiny", "tiny", "a test's", file("tiny.onnx", WEIGHTS), file("voices.bin", VOICES))
    monkeypatch.setattr(models, "MODELS", (made,))
    return made


@pytest.fixture
def full(tmp_path: Path, model: Model) -> Path:
    """A machine that has the model."""
    folder = tmp_path / "full" / model.folder
    folder.mkdir(parents=True)
    (folder / "tiny.onnx").write_bytes(WEIGHTS)
    (folder / "voices.bin").write_bytes(VOICES)
    return tmp_path / "full"


def test_it_goes_up_once_and_comes_down_whole(full: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    assert model_mirror.keep(bucket, "tiny", root=full) == len(WEIGHTS) + len(VOICES)
    assert model_mirror.keep(bucket, "tiny", root=full) == 0
    assert model_mirror.restore(bucket, "tiny", root=tmp_path / "fresh")
    assert models.is_installed("tiny", tmp_path / "fresh")
    assert (tmp_path / "fresh" / "tiny" / "tiny.onnx").read_bytes() == WEIGHTS


def test_what_is_not_all_there_is_left_to_the_models_own_source(model: Model, full: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    assert not model_mirror.restore(bucket, "tiny", root=tmp_path / "fresh")
    model_mirror.keep(bucket, "tiny", root=full)
    bucket.delete(keys.model_file(model.voices.sha256))
    assert not model_mirror.restore(bucket, "tiny", root=tmp_path / "fresh")
    assert not (tmp_path / "fresh" / "tiny" / "tiny.onnx").exists()


def test_an_altered_file_is_never_installed(model: Model, full: Path, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    model_mirror.keep(bucket, "tiny", root=full)
    key = keys.model_file(model.weights.sha256)
    bucket.delete(key)
    bucket.create(key, WEIGHTS.replace(b"weights", b"viruses"))
    assert not model_mirror.restore(bucket, "tiny", root=tmp_path / "fresh")
    assert not models.is_installed("tiny", tmp_path / "fresh")


def test_a_file_that_is_damaged_on_this_disk_is_not_kept(full: Path) -> None:
    (full / "tiny" / "tiny.onnx").write_bytes(WEIGHTS.replace(b"weights", b"wreckss"))
    bucket = MemoryBucket()
    assert model_mirror.keep(bucket, "tiny", root=full) == len(VOICES)
    assert len(bucket.list(keys.MODELS).entries) == 1


def test_a_file_that_another_worker_puts_meanwhile_is_left_as_it_is(full: Path, model: Model) -> None:
    class Late(MemoryBucket):
        def head(self, key: str) -> None:
            return None

    bucket = Late()
    first = bucket.create(keys.model_file(model.weights.sha256), WEIGHTS)
    assert model_mirror.keep(bucket, "tiny", root=full) == len(VOICES)
    found = bucket.get(keys.model_file(model.weights.sha256))
    assert found is not None and found.version == first


def test_a_machine_without_the_model_leaves_nothing(model: Model, tmp_path: Path) -> None:
    bucket = MemoryBucket()
    assert model_mirror.keep(bucket, "tiny", root=tmp_path / "empty") == 0
    assert bucket.list("").entries == ()


@pytest.mark.parametrize(
    ("endpoint", "worth"),
    [
        ("", False),
        ("https://s3.eu-central-1.amazonaws.com", False),
        ("https://storage.googleapis.com", False),
        ("http://127.0.0.1:9000", True),
        ("https://account.r2.cloudflarestorage.com", True),
        ("https://not-amazonaws.com.example", True),
    ],
)
def test_a_store_that_charges_for_reading_is_none_by_default(endpoint: str, worth: bool) -> None:
    bucket = MemoryBucket()
    bucket.endpoint = endpoint  # type: ignore[attr-defined]
    assert model_mirror.worth_while(bucket) is worth


def test_an_executor_without_models_costs_no_request() -> None:
    class Counting(MemoryBucket):
        def head(self, key: str) -> None:
            raise AssertionError(f"asked for {key}")

    cache = ModelCache(Counting(), [EchoExecutor()])
    cache.restore()
    cache.hear("succeeded")
