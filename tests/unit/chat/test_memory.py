"""What of a daemon's memory a worker takes, and gives back when it closes: against the imitation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpujob_worker.chat import placing
from gpujob_worker.chat.fetching import Rules
from gpujob_worker.executors.chat import ChatExecutor
from tests.fake_job import unheard

from .imitation import Ollama, imitation

MODEL = "smollm2:135m"


@pytest.fixture
def ollama() -> Iterator[Ollama]:
    with imitation() as running:
        yield running


def executor(ollama: Ollama) -> ChatExecutor:
    return ChatExecutor(host=ollama.url, rules=Rules())


def test_what_was_loaded_for_a_worker_leaves_a_daemon_that_was_found(ollama: Ollama) -> None:
    """Closing chat freed nothing there, so that a picture found no memory until the daemon's own five minutes were over."""
    ollama.models.append("somebody-elses:1b")
    ollama.loaded["somebody-elses:1b"] = 0
    chat = executor(ollama)
    chat.load({"model": MODEL}, unheard)
    chat.load({"model": "somebody-elses:1b"}, unheard)
    assert set(ollama.loaded) == {MODEL, "somebody-elses:1b"}
    chat.close()
    assert set(ollama.loaded) == {"somebody-elses:1b"}
    assert ollama.asked("/api/chat")[-1] == {
        "model": MODEL,
        "messages": [],
        "tools": [],
        "stream": False,
        "keep_alive": 0,
    }


def test_the_model_that_the_device_was_tried_with_leaves_too(ollama: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpujob_worker.speech.devices.gpu_present", lambda: True)
    chat = executor(ollama)
    chat.device()
    assert list(ollama.loaded) == [MODEL]
    chat.close()
    assert ollama.loaded == {}


def test_a_daemon_that_has_gone_or_hangs_does_not_keep_chat_from_closing(
    ollama: Ollama, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpujob_worker.executors.chat.UNLOAD_S", 0.0)
    chat = executor(ollama)
    chat.load({"model": MODEL}, unheard)
    chat.close()
    assert "keeps what was loaded for this worker" in caplog.text
    with imitation() as gone:
        chat = executor(gone)
        chat.load({"model": MODEL}, unheard)
    caplog.clear()
    monkeypatch.setattr("gpujob_worker.executors.chat.UNLOAD_S", 30.0)
    chat.close()
    assert "keeps what was loaded for this worker" in caplog.text


def test_the_device_is_tried_with_a_model(ollama: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    assert executor(ollama).device().name == "cpu"
    monkeypatch.setattr("gpujob_worker.speech.devices.gpu_present", lambda: True)
    monkeypatch.setattr(placing, "gpu_present", lambda: True)
    ollama.vram = 9
    assert (executor(ollama).device().name, list(ollama.loaded)) == ("cuda", [MODEL])
    ollama.models, ollama.loaded = [], {}
    assert executor(ollama).device().name == ""
