"""The executor's decisions without torch: what it needs, what it refuses, what it leaves to the job's secrets."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from gpujob.errors import JobFailed
from gpujob_worker.executor import Device
from gpujob_worker.executors import imagine
from gpujob_worker.executors.imagine import ImagineExecutor
from gpujob_worker.image import fetching
from gpujob_worker.image.choosing import Choice, Own
from tests.fake_job import FakeJob, unheard

from .fakes import FakeBrush, image_input, need_pillow


class Hub:
    """What is in the hub's cache, and what is fetched into it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.here: set[str] = set()
        self.gated: set[str] = set()
        self.fetched: list[tuple[str, str | None]] = []  # names and tokens
        self.loaded: list[str] = []
        self._folder = tmp_path
        monkeypatch.setattr(fetching, "cached", self.cached)
        monkeypatch.setattr(fetching, "fetch", self.fetch)
        monkeypatch.setattr(imagine, "load_painter", self.load)
        monkeypatch.setattr(imagine.devices, "torch_device", lambda: Device("cpu"))

    def cached(self, choice: Choice) -> Path | None:
        return self._folder / "abc123" if choice.name in self.here else None

    def fetch(self, choice: Choice, report: Any, *, token: str | None, half: bool) -> Path:
        self.fetched.append((choice.name, token))
        if choice.name in self.gated and token is None:
            raise fetching.NeedsToken("gated", type="model_not_found")
        self.here.add(choice.name)
        return self._folder / "abc123"

    def load(self, folder: Path, name: str, revision: str, device: Device) -> FakeBrush:
        self.loaded.append(f"{name}@{revision}")
        brush = FakeBrush()
        brush.engine = type(brush.engine)("fake", "1", name, revision, device.name)
        return brush


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    return Hub(monkeypatch, tmp_path)


def test_without_the_libraries_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    readiness = ImagineExecutor(Own()).readiness()
    assert (readiness.ready, readiness.hint) == (False, "pip install 'gpujob[image]'")
    assert "torch, diffusers" in readiness.reason


def test_a_model_folder_that_is_not_there_is_told_at_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    readiness = ImagineExecutor(Own(str(tmp_path / "gone"))).readiness()
    assert not readiness.ready and "no folder" in readiness.reason
    assert ImagineExecutor(Own(str(tmp_path))).readiness().ready


def test_its_settings_are_the_workers_own(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    monkeypatch.setenv("GPUJOB_IMAGE_MODEL", "owner/mine")
    monkeypatch.setenv("GPUJOB_ALLOW_MODELS", "acme/*")
    executor = ImagineExecutor()
    assert executor.load({}, unheard) == ("owner/mine",)
    assert executor.load({"model": "acme/one"}, unheard) == ("acme/one",)
    with pytest.raises(JobFailed, match="other/one is not on this worker") as failure:
        executor.load({"model": "other/one"}, unheard)
    assert (failure.value.type, failure.value.retryable) == ("model_not_found", False)


def test_at_start_it_loads_only_what_its_settings_name(hub: Hub) -> None:
    assert ImagineExecutor(Own()).load({}, unheard) == ()
    assert hub.loaded == []


def test_one_model_is_warm_and_the_next_takes_its_place(hub: Hub) -> None:
    executor = ImagineExecutor(Own(allowed=("*",)))
    for name in ("a/one", "a/one", "a/two", "a/one"):
        assert executor.load({"model": name}, unheard) == (name,)
    assert hub.loaded == ["a/one@abc123", "a/two@abc123", "a/one@abc123"]
    assert [name for name, _ in hub.fetched] == ["a/one", "a/two"]


def test_what_is_here_already_may_be_used_and_is_not_fetched(hub: Hub) -> None:
    hub.here.add("owner/here")
    assert ImagineExecutor(Own()).load({"model": "owner/here"}, unheard) == ("owner/here",)
    assert hub.fetched == []


def test_a_gated_model_waits_for_the_jobs_own_token(hub: Hub, tmp_path: Path) -> None:
    need_pillow()
    hub.gated.add("gated/one")
    executor = ImagineExecutor(Own(allowed=("gated/*",)))
    job = FakeJob(tmp_path, image_input(model="gated/one"))
    assert executor.load(job.input, unheard) == ()
    with pytest.raises(JobFailed) as failure:
        executor.run(job)
    assert failure.value.type == "model_not_found"
    job.secrets = {"HF_TOKEN": "hf_x"}
    outcome = executor.run(job)
    assert outcome.output["model"] == "gated/one"
    assert [token for _, token in hub.fetched] == [None, None, "hf_x"]


def test_the_pipeline_is_freed_when_a_picture_does_not_fit(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_pillow()
    monkeypatch.setattr(imagine, "load_painter", lambda *args: FakeBrush(runs_out=(0, 1)))
    hub.here.add("a/one")
    executor = ImagineExecutor(Own("a/one"))
    with pytest.raises(JobFailed) as failure:
        executor.run(FakeJob(tmp_path, image_input()))
    assert failure.value.type == "out_of_memory"
    assert executor._painter is None
