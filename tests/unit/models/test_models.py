"""The model cache against a local server: resumed, verified, fetched once."""

from __future__ import annotations

import hashlib
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gpujob import models
from gpujob.errors import Configuration, LocalDisk, NotFound
from gpujob.models.catalogue import MODELS, Model, ModelFile, Url
from gpujob.models.fetch import part_of
from tests.unit.models.server import Files, serving

WEIGHTS = hashlib.shake_128(b"weights").digest(700_001)
SPAWN = multiprocessing.get_context("spawn")
VOICES = hashlib.shake_128(b"voices").digest(50_000)


@pytest.fixture
def files() -> Iterator[Files]:
    with serving() as files:
        files.add("/w.onnx", WEIGHTS)
        files.add("/v.bin", VOICES)
        yield files


def model_at(*bases: str) -> Model:
    def file(name: str, path: str, content: bytes) -> ModelFile:
        sources = tuple(Url(base + path) for base in bases)
        return ModelFile(name, len(content), hashlib.sha256(content).hexdigest(), sources)

    return Model("tiny", "tiny", "for tests", file("w.onnx", "/w.onnx", WEIGHTS), file("v.bin", "/v.bin", VOICES))


def unreachable() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_it_is_fetched_once_and_verified(files: Files, tmp_path: Path) -> None:
    reports: list[tuple[int, int, str]] = []
    found = models.ensure_model(model_at(files.base), root=tmp_path, progress=lambda *report: reports.append(report))
    assert found.model.read_bytes() == WEIGHTS
    assert found.voices.read_bytes() == VOICES
    assert found.revision == f"w@{hashlib.sha256(WEIGHTS).hexdigest()[:12]}"
    assert reports[-1][:2] == (750_001, 750_001)
    assert sorted(path.name for path in found.model.parent.iterdir()) == [".lock", "v.bin", "w.onnx"]
    models.ensure_model(model_at(files.base), root=tmp_path)
    assert len(files.requests) == 2


def test_offline_says_which_command_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(Configuration, match="switched off") as error:
        models.ensure("kokoro", root=tmp_path, offline=True)
    assert error.value.hint == "run: gpujob models pull kokoro"
    assert list(tmp_path.iterdir()) == []


def test_a_broken_transfer_resumes_where_it_broke(files: Files, tmp_path: Path) -> None:
    model = model_at(files.base)
    models.ensure_model(model, root=tmp_path)  # so that only the weights are left to fetch
    weights = tmp_path / "tiny" / "w.onnx"
    weights.unlink()
    files.requests.clear()
    files.cut_after = [300_000, 100_000]
    models.ensure_model(model, root=tmp_path)
    assert weights.read_bytes() == WEIGHTS
    assert files.requests == [("/w.onnx", None), ("/w.onnx", "bytes=300000-"), ("/w.onnx", "bytes=400000-")]


def test_a_part_of_an_earlier_run_is_resumed(files: Files, tmp_path: Path) -> None:
    weights = tmp_path / "tiny" / "w.onnx"
    weights.parent.mkdir()
    part_of(weights).write_bytes(WEIGHTS[:600_000])
    models.ensure_model(model_at(files.base), root=tmp_path)
    assert weights.read_bytes() == WEIGHTS
    assert ("/w.onnx", "bytes=600000-") in files.requests


def test_a_server_without_ranges_starts_over(files: Files, tmp_path: Path) -> None:
    files.ranges = False
    weights = tmp_path / "tiny" / "w.onnx"
    weights.parent.mkdir()
    part_of(weights).write_bytes(WEIGHTS[:600_000])
    models.ensure_model(model_at(files.base), root=tmp_path)
    assert weights.read_bytes() == WEIGHTS


@pytest.mark.parametrize("stale", [b"x" * 600_000, b"x" * 900_000, b"x" * len(WEIGHTS)])
def test_a_wrong_part_is_thrown_away_and_fetched_anew(files: Files, tmp_path: Path, stale: bytes) -> None:
    weights = tmp_path / "tiny" / "w.onnx"
    weights.parent.mkdir()
    part_of(weights).write_bytes(stale)
    models.ensure_model(model_at(files.base), root=tmp_path)
    assert weights.read_bytes() == WEIGHTS


@pytest.mark.parametrize("wrong", [WEIGHTS[:-1] + b"!", WEIGHTS[:-7], WEIGHTS + b"more"])
def test_wrong_bytes_are_never_installed(files: Files, tmp_path: Path, wrong: bytes) -> None:
    files.add("/w.onnx", wrong)
    with pytest.raises(Configuration, match=r"cannot get w\.onnx"):
        models.ensure_model(model_at(files.base), root=tmp_path)
    assert not (tmp_path / "tiny" / "w.onnx").exists()
    files.add("/w.onnx", WEIGHTS)
    assert models.ensure_model(model_at(files.base), root=tmp_path).model.read_bytes() == WEIGHTS


def test_the_next_source_is_tried_and_every_reason_is_told(files: Files, tmp_path: Path) -> None:
    nobody = unreachable()
    assert models.ensure_model(model_at(nobody, files.base), root=tmp_path / "a").model.read_bytes() == WEIGHTS
    files.content.clear()
    with pytest.raises(Configuration) as error:
        models.ensure_model(model_at(nobody, files.base), root=tmp_path / "b")
    assert "cannot be reached" in error.value.message
    assert "404" in error.value.message


def test_a_full_disk_is_said_as_such(files: Files, tmp_path: Path) -> None:
    weights = tmp_path / "tiny" / "w.onnx"
    weights.parent.mkdir()
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, the device that is always full (Linux)")
    part_of(weights).symlink_to("/dev/full")
    with pytest.raises(LocalDisk, match="No space left"):
        models.ensure_model(model_at(files.base), root=tmp_path)
    assert not weights.exists()


def test_what_cannot_fit_is_not_begun(files: Files, tmp_path: Path) -> None:
    huge = ModelFile("w.onnx", 10**18, "0" * 64, (Url(f"{files.base}/w.onnx"),))
    model = Model("huge", "huge", "for tests", huge, model_at(files.base).voices)
    with pytest.raises(LocalDisk, match="MB free"):
        models.ensure_model(model, root=tmp_path)
    assert files.requests == []


def test_a_folder_that_cannot_be_made_is_said_as_such(files: Files, tmp_path: Path) -> None:
    (tmp_path / "tiny").write_text("a file where the folder should be")
    with pytest.raises(LocalDisk, match="cannot write"):
        models.ensure_model(model_at(files.base), root=tmp_path)


def _ensure_in_a_process(base: str, root: str, barrier: Any, far_enough: Any) -> None:
    def progress(done_bytes: int, total_bytes: int, what: str) -> None:
        if done_bytes >= 250_000:
            far_enough.set()

    barrier.wait()
    models.ensure_model(model_at(base), root=Path(root), progress=progress)


def _process(files: Files, root: Path, barrier: Any, far_enough: Any) -> Any:
    process = SPAWN.Process(target=_ensure_in_a_process, args=(files.base, str(root), barrier, far_enough))
    process.start()
    return process


def test_several_processes_at_once_fetch_it_once(files: Files, tmp_path: Path) -> None:
    barrier, unused = SPAWN.Barrier(4), SPAWN.Event()
    processes = [_process(files, tmp_path, barrier, unused) for _ in range(3)]
    barrier.wait()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert sorted(path for path, _ in files.requests) == ["/v.bin", "/w.onnx"]


def test_who_races_for_a_model_finds_it_fetched_once(tmp_path: Path) -> None:
    """A hundred rounds in threads: the lock is held by the open file, so it parts threads as it parts processes."""
    with serving() as files:
        files.add("/w.onnx", WEIGHTS)
        files.add("/v.bin", VOICES)
        model = model_at(files.base)
        for number in range(100):
            files.requests.clear()
            barrier = threading.Barrier(4)

            def race(root: Path = tmp_path / str(number), barrier: threading.Barrier = barrier) -> bytes:
                barrier.wait()
                return models.ensure_model(model, root=root).model.read_bytes()

            with ThreadPoolExecutor(4) as pool:
                found = [future.result() for future in [pool.submit(race) for _ in range(4)]]
            assert found == [WEIGHTS] * 4
            assert len(files.requests) == 2


def test_who_waits_for_another_process_is_told(files: Files, tmp_path: Path) -> None:
    files.gate = threading.Event()
    alone, unused = SPAWN.Barrier(1), SPAWN.Event()  # kept in names: the child opens them when it comes up
    process = _process(files, tmp_path, alone, unused)
    assert files.asked.wait(60)
    told: list[str] = []

    def progress(done_bytes: int, total_bytes: int, what: str) -> None:
        told.append(what)
        assert files.gate is not None
        files.gate.set()

    models.ensure_model(model_at(files.base), root=tmp_path, progress=progress)
    process.join(60)
    assert told == ["tiny: another process is fetching it; waiting for that"]
    assert len(files.requests) == 2


def test_a_killed_download_blocks_nobody_and_is_resumed(files: Files, tmp_path: Path) -> None:
    files.gate, files.before_gate = threading.Event(), 600_000
    alone, far_enough = SPAWN.Barrier(1), SPAWN.Event()
    process = _process(files, tmp_path, alone, far_enough)
    assert far_enough.wait(60)
    process.kill()
    process.join(60)
    files.gate.set()
    files.gate = None
    assert models.ensure_model(model_at(files.base), root=tmp_path).model.read_bytes() == WEIGHTS
    resumed = [wanted for path, wanted in files.requests if path == "/w.onnx"][-1]
    assert resumed is not None and int(resumed.removeprefix("bytes=").removesuffix("-")) >= 200_000


def test_the_catalogue_pins_every_file() -> None:
    assert models.names() == ("kokoro", "kokoro-fp16", "kokoro-fp32")
    for model in MODELS:
        for file in model.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.size_bytes > 0
            assert all(source.url.startswith("https://") for source in file.sources if isinstance(source, Url))


def test_an_unknown_model_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFound) as error:
        models.ensure("kokro")
    assert error.value.hint is not None and "kokoro-fp32" in error.value.hint


def test_removing_keeps_what_another_model_shares(tmp_path: Path) -> None:
    small, half = models.describe("kokoro"), models.describe("kokoro-fp16")
    for file in {*small.files, *half.files}:
        path = tmp_path / small.folder / file.name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as stream:
            stream.truncate(file.size_bytes)
    assert [found.name for found in models.installed(tmp_path)] == ["kokoro", "kokoro-fp16"]
    assert models.remove("kokoro-fp16", tmp_path) == half.weights.size_bytes
    assert [found.name for found in models.installed(tmp_path)] == ["kokoro"]
    assert models.remove("kokoro", tmp_path) == small.size_bytes
    assert models.installed(tmp_path) == ()
    assert models.remove("kokoro", tmp_path) == 0
