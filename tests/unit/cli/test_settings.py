"""Settings: who wins, where each value came from, and what is said about a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob import settings
from gpujob.errors import Configuration
from gpujob.settings import load


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without any settings; a working folder beside it."""
    for name in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    return tmp_path / "home"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def write_config(text: str) -> Path:
    path = settings.config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def store_of(work: Path, environ: dict[str, str] | None = None, **more: object) -> tuple[str, str]:
    loaded = load(environ=environ or {}, folder=work, **more)  # type: ignore[arg-type]
    return loaded.settings.store, loaded.origins.get("store", "default")


def test_with_nothing_set_the_store_is_a_folder_of_this_user(work: Path, home: Path) -> None:
    store, origin = store_of(work)
    assert store == (home / "data" / "gpujob" / "store").as_uri()
    assert origin == "default"


def test_each_source_beats_the_one_before(work: Path) -> None:
    config = write_config('store = "s3://one"\n')
    assert store_of(work) == ("s3://one", f"store in {config}")
    write_config('profile = "lab"\nstore = "s3://one"\n[profiles.lab]\nstore = "s3://two"\n')
    assert store_of(work)[0] == "s3://two"
    (work / "gpujob.toml").write_text('store = "s3://three"\n')
    assert store_of(work)[0] == "s3://three"
    (work / ".env").write_text("GPUJOB_STORE=s3://four\n")
    assert store_of(work)[0] == "s3://four"
    environ = {"GPUJOB_STORE": "s3://five"}
    assert store_of(work, environ) == ("s3://five", "GPUJOB_STORE in the environment")
    assert store_of(work, environ, profile="lab")[0] == "s3://two"
    assert store_of(work, environ, profile="lab", flags={"store": "s3://six"}) == ("s3://six", "--store")


def test_a_flag_that_is_not_given_does_not_count(work: Path) -> None:
    assert store_of(work, {"GPUJOB_STORE": "s3://five"}, flags={"store": None})[0] == "s3://five"


def test_the_project_file_is_found_from_below_and_its_folder_store_is_relative_to_it(work: Path) -> None:
    (work / "gpujob.toml").write_text('store = "queue"\n')
    (work / "deep" / "down").mkdir(parents=True)
    assert store_of(work / "deep" / "down")[0] == (work / "queue").as_uri()


def test_the_profile_may_be_chosen_by_variable_and_project(work: Path) -> None:
    write_config('[profiles.lab]\nstore = "s3://lab"\n[profiles.home]\nstore = "s3://home"\n')
    (work / "gpujob.toml").write_text('profile = "home"\n')
    assert store_of(work)[0] == "s3://home"
    assert store_of(work, {"GPUJOB_PROFILE": "lab"})[0] == "s3://lab"


@pytest.mark.parametrize(
    ("old", "new", "value", "field"),
    [
        ("WORKER_ID", "GPUJOB_WORKER_ID", "colab-7", "worker_id"),
        ("OLLAMA_PRELOAD_MODELS", "GPUJOB_CHAT_PRELOAD", "a,b", "chat_preload"),
        ("IMAGEN_MODEL_ID", "GPUJOB_IMAGE_MODEL", "some/model", "image_model"),
        ("GPU_MAX_PENDING_JOBS", "GPUJOB_MAX_PENDING", "7", "max_pending"),
    ],
)
def test_old_names_work_with_one_notice(work: Path, old: str, new: str, value: str, field: str) -> None:
    by_old = load(environ={old: value}, folder=work)
    by_new = load(environ={new: value}, folder=work)
    assert (
        getattr(by_old.settings, field)
        == getattr(by_new.settings, field)
        != getattr(load(environ={}, folder=work).settings, field)
    )
    assert len(by_old.notices) == 1 and new in by_old.notices[0]
    assert by_new.notices == ()


def test_a_new_name_beats_the_old_one_silently(work: Path) -> None:
    loaded = load(environ={"WORKER_ID": "old", "GPUJOB_WORKER_ID": "new"}, folder=work)
    assert loaded.settings.worker_id == "new" and loaded.notices == ()


def test_names_that_have_no_effect_yet_are_listed_with_where_they_are_set(work: Path) -> None:
    environ = {"STACK_API_BASE": "x", "PATH": "y"}
    assert settings.without_effect(environ, work) == {"STACK_API_BASE": "the environment"}
    (work / ".env").write_text("GPU_WORKER_TOKEN=x\nSTACK_API_BASE=x\n")  # of which nothing was found
    found = settings.without_effect(environ, work)
    assert found == {"GPU_WORKER_TOKEN": str(work / ".env"), "STACK_API_BASE": "the environment"}


def test_a_scheme_with_one_slash_made_a_folder_of_that_name(work: Path) -> None:
    for slip in ("file:/x", "s3:/bucket", "s3:bucket", "memory:"):
        with pytest.raises(Configuration, match=r"begins with (file|s3|memory)://, and a folder"):
            load(flags={"store": slip}, folder=work)
    assert load(flags={"store": "./file:x"}, folder=work).settings.store.endswith("/file%3Ax")


def test_a_working_directory_that_is_gone_had_no_name(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    work.rmdir()
    with pytest.raises(Configuration, match="the working directory is not there any more"):
        load(environ={})
    monkeypatch.chdir(tmp_path)


def test_debug_in_a_file_had_no_effect(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    monkeypatch.delenv("GPUJOB_DEBUG", raising=False)
    assert not settings.debugging()
    write_config("debug = true\n")
    assert settings.debugging()
    (work / ".env").write_text("GPUJOB_DEBUG=0\n")
    assert not settings.debugging()
    monkeypatch.setenv("GPUJOB_DEBUG", "1")
    assert settings.debugging()
    monkeypatch.delenv("GPUJOB_DEBUG")
    write_config("debug = true\nno setting = 1\n")
    assert not settings.debugging()


def test_a_slip_in_a_variable_is_noticed(work: Path) -> None:
    notices = load(environ={"GPUJOB_STROE": "s3://x"}, folder=work).notices
    assert notices == ("GPUJOB_STROE is not a setting. Did you mean GPUJOB_STORE?",)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"GPUJOB_STORE": "ftp://x"}, ["GPUJOB_STORE in the environment", "ftp://", "s3://bucket/prefix"]),
        ({"GPUJOB_STORE": "s3://"}, ["GPUJOB_STORE", "the bucket is missing"]),
        ({"GPUJOB_MAX_PENDING": "many"}, ["GPUJOB_MAX_PENDING", "many", "integer"]),
        ({"GPU_MAX_PENDING_JOBS": "0"}, ["GPU_MAX_PENDING_JOBS", "greater than or equal to 1"]),
        ({"GPUJOB_WORKER_ID": "../x"}, ["GPUJOB_WORKER_ID", "../x"]),
    ],
)
def test_a_bad_variable_is_refused_by_name(work: Path, environ: dict[str, str], said: list[str]) -> None:
    with pytest.raises(Configuration) as caught:
        load(environ=environ, folder=work)
    for part in said:
        assert part in caught.value.message


@pytest.mark.parametrize("name", ["trust_submitters", "trust_workers"])
def test_a_list_of_keys_that_names_none_is_refused_and_trusts_nobody(work: Path, name: str) -> None:
    """What went wrong: ` , ` became an empty list, and an empty list trusts everybody."""
    variable = f"GPUJOB_{name.upper()}"
    for value in (" , ", ",", ",,"):
        with pytest.raises(Configuration, match=rf"{variable} in the environment: .* names no key"):
            load(environ={variable: value}, folder=work)
    for text in (f'{name} = ""\n', f'{name} = " , "\n', f"{name} = []\n"):
        config = write_config(text)
        with pytest.raises(Configuration, match="names no key") as caught:
            load(environ={}, folder=work)
        assert f"{name} in {config}" in caught.value.message


@pytest.mark.parametrize("name", ["trust_submitters", "trust_workers"])
def test_a_blank_variable_switches_off_no_list_of_keys(work: Path, name: str) -> None:
    """What went wrong: an empty variable hid the list of the user's own file, and everybody was trusted."""
    write_config(f'{name} = ["alice.pub"]\n')
    for blank in ("", " "):
        (work / ".env").write_text(f'GPUJOB_{name.upper()}="{blank}"\n')
        loaded = load(environ={f"GPUJOB_{name.upper()}": blank}, folder=work)
        assert getattr(loaded.settings, name) == ("alice.pub",)
    write_config("")
    assert getattr(load(environ={f"GPUJOB_{name.upper()}": ""}, folder=work).settings, name) == ()


def test_bad_files_are_refused_by_name(work: Path) -> None:
    config = write_config("store = \n")
    with pytest.raises(Configuration, match="is not TOML") as caught:
        load(environ={}, folder=work)
    assert str(config) in caught.value.message
    write_config('stroe = "s3://x"\n')
    with pytest.raises(Configuration, match="'stroe' is not a setting; did you mean 'store'"):
        load(environ={}, folder=work)
    write_config('[profiles.lab]\nstore = "s3://x"\n')
    with pytest.raises(Configuration, match=r"no profile 'lap' in .*\(there: lab\)"):
        load(environ={}, folder=work, profile="lap")


def test_a_secret_is_read_only_when_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hush")
    assert settings.secret_values(("HF_TOKEN", "ABSENT")) == {"HF_TOKEN": "hush"}
