"""Executors as a worker finds them: with its own settings, here and in their processes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gpujob import settings
from gpujob.errors import Configuration
from gpujob.settings import Settings
from gpujob_worker import main
from gpujob_worker.executor import Executor, JobContext, Outcome, Readiness
from gpujob_worker.executors.chat import ChatExecutor
from gpujob_worker.executors.imagine import ImagineExecutor
from gpujob_worker.registry import Candidate, candidates, ready, told
from tests.fake_job import unheard

PROFILE = """
image_model = "owner/of-all"
[profiles.gpu]
image_model = "{model}"
allow_models = ["acme/*", "gemma3:*"]
chat_preload = ["smollm2:135m"]
"""


class Asker(Executor):
    """Tells by the names of its models what its process takes for the worker's settings."""

    kinds: ClassVar[tuple[str, ...]] = ("test.ask",)

    def load(self, wanted: Any, report: Any) -> tuple[str, ...]:
        found = settings.load().settings
        rules = ChatExecutor()._rules()
        own = ImagineExecutor()._own
        assert (own.model, own.allowed) == (found.image_model, rules.allow)
        return (str(own.model), *own.allowed, *rules.preload)

    def run(self, job: JobContext) -> Outcome:
        return Outcome({})


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A configuration with a profile `gpu`, whose image model is a folder that is not there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GPUJOB_CHAT_PRELOAD", "another")
    file = settings.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PROFILE.format(model=tmp_path / "model"))
    return tmp_path / "model"


def test_the_settings_of_a_profile_reach_the_processes_of_the_executors(profile: Path) -> None:
    """A profile that a flag chose was known to the worker alone: its executors read the settings anew, without it."""
    own = settings.load(profile="gpu").settings
    found = Candidate("ask", Asker.kinds, Readiness(True), Asker(), f"{__name__}:Asker")
    (executor,) = ready([found], environment=told(own))
    try:
        assert executor.load({}, unheard) == (str(profile), "acme/*", "gemma3:*", "smollm2:135m")
    finally:
        executor.close()


def test_a_list_that_a_profile_empties_is_empty_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUJOB_ALLOW_MODELS", "*")
    for name, value in told(Settings()).items():
        monkeypatch.setenv(name, value)
    assert settings.load().settings.allow_models == ()


def test_whether_a_kind_is_served_is_asked_with_the_settings_of_the_profile(
    profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    found = candidates(["image.generate"], settings.load(profile="gpu").settings)
    assert f"there is no folder {profile}" in found[0].readiness.reason
    assert candidates(["image.generate"], settings.load().settings)[0].readiness.ready


def test_the_rules_of_chat_are_those_of_the_settings_that_it_was_told() -> None:
    chat = ChatExecutor()
    chat.configure(Settings(chat_preload=("m",), allow_models=("a:*",)))
    assert (chat._rules().preload, chat._rules().allow) == (("m",), ("a:*",))


def test_the_worker_hands_its_profile_on(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Settings | None] = []

    def look(kinds: Any, own: Settings | None = None) -> list[Candidate]:
        seen.append(own)
        return [Candidate("ask", Asker.kinds, Readiness(True), Asker(), f"{__name__}:Asker")]

    made: list[dict[str, str]] = []

    def no_more(found: Any, *, environment: dict[str, str]) -> list[Executor]:
        made.append(environment)
        return []

    monkeypatch.setattr(main, "candidates", look)
    monkeypatch.setattr(main, "ready", no_more)
    with pytest.raises(Configuration):
        main.app(["--profile", "gpu", "--check"], standalone_mode=False)
    assert [own and own.image_model for own in seen] == [str(profile)]
    assert made[0]["GPUJOB_CHAT_PRELOAD"] == "smollm2:135m"
