"""What the notebook's cells do one by one: run programs, look for credentials, fetch the wheel. No kernel is needed."""

from __future__ import annotations

import ast
import io
import json
import os
import signal
import sys
import threading
from importlib import resources
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest

from tests.google.imitation import BUCKET, imitation

KEPT = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Assign)
SECRETS = {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_SESSION_TOKEN": "a-token"}


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The names that the cells define, without anything that they do; an environment and a folder of one's own."""
    text = resources.files("gpujob_cli.notebooks").joinpath("worker.py").read_text()
    body = [node for node in ast.parse(text).body if isinstance(node, KEPT) and not _acts(node)]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(body, []), "worker.py", "exec"), names)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    names["boto3"] = SimpleNamespace(session=SimpleNamespace(Session=lambda: SimpleNamespace(get_credentials=list)))
    return names


def _acts(node: ast.stmt) -> bool:
    """Whether an assignment is more than a literal."""
    return isinstance(node, ast.Assign) and any(isinstance(part, ast.Call | ast.Subscript) for part in ast.walk(node))


def module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: Any) -> None:
    made = ModuleType(name)
    vars(made).update(contents)
    monkeypatch.setitem(sys.modules, name, made)


def colab(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str]) -> None:
    for name in ("google", "google.colab"):
        module(monkeypatch, name)
    module(monkeypatch, "google.colab.userdata", get=secrets.__getitem__)


def kaggle(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str]) -> None:
    client = SimpleNamespace(get_secret=secrets.__getitem__)
    module(monkeypatch, "kaggle_secrets", UserSecretsClient=lambda: client)


def test_a_program_is_shown_while_it_runs(cells: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    assert cells["run"]("-c", code) == 3
    assert sorted(capsys.readouterr().out.splitlines()) == ["err", "out"]
    with pytest.raises(RuntimeError, match="failed"):
        cells["must"]("-c", code)


def test_a_silent_program_is_said_to_be_at_it(cells: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    cells["SILENCE_S"] = 0
    assert cells["run"]("-c", "import threading; threading.Event().wait(1.5)") == 0
    assert "is at it)" in capsys.readouterr().out


def test_the_stop_button_is_the_programs_ctrl_c_each_time(
    cells: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    code = (
        "import signal, threading\n"
        "heard = []\n"
        "signal.signal(signal.SIGINT, lambda *_: heard.append(1) or print('heard', len(heard), flush=True))\n"
        "print('ready', flush=True)\n"
        "while len(heard) < 2: threading.Event().wait(0.05)\n"
    )
    presses = iter(["ready", "heard 1"])
    awaited = next(presses)

    def press(said: str, **_: Any) -> None:
        nonlocal awaited
        sys.stdout.write(said)
        if awaited and said.startswith(awaited):
            awaited = next(presses, "")
            raise KeyboardInterrupt

    cells["print"] = press
    assert cells["run"]("-c", code) == 0
    assert capsys.readouterr().out.splitlines() == ["ready", "heard 1", "heard 2"]


def test_who_does_not_answer_is_not_waited_for(cells: dict[str, Any]) -> None:
    cells["SECRET_S"] = 0.1

    def never(name: str) -> str:
        threading.Event().wait(60)
        return name

    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError):
        cells["in_time"](never, "x")
    assert signal.getsignal(signal.SIGALRM) == before
    assert cells["in_time"](str.upper, "x") == "X"


def test_the_environment_comes_first(cells: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    colab(monkeypatch, SECRETS)
    cells["boto3"].session.Session = lambda: SimpleNamespace(get_credentials=lambda: "found")
    assert cells["find_credentials"]() == "the environment"
    assert "AWS_ACCESS_KEY_ID" not in os.environ


def test_then_colabs_secrets_then_kaggles(
    cells: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle(monkeypatch, SECRETS)
    colab(monkeypatch, {"AWS_ACCESS_KEY_ID": "half-a-pair"})
    assert cells["find_credentials"]() == "Kaggle's secrets"
    assert SECRETS.items() <= os.environ.items()
    colab(monkeypatch, SECRETS | {"AWS_ACCESS_KEY_ID": "from-colab"})
    assert cells["find_credentials"]() == "Colab's secrets"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "from-colab"
    said = capsys.readouterr().out
    assert "not from Colab's secrets: KeyError" in said
    assert not any(value in said for value in (*SECRETS.values(), "half-a-pair", "from-colab"))


def test_on_kaggle_colabs_secrets_are_not_asked(cells: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Kaggle's image has Colab's modules; nobody is there to answer them, for twenty seconds each."""

    def asked(name: str) -> str:
        raise AssertionError(f"Colab was asked for {name}")

    module(monkeypatch, "google.colab.userdata", get=asked)
    kaggle(monkeypatch, SECRETS)
    cells["ON_KAGGLE"] = True
    assert cells["find_credentials"]() == "Kaggle's secrets"


def test_a_pair_without_a_token_will_do(cells: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    colab(monkeypatch, {name: SECRETS[name] for name in cells["KEYS"]})
    assert cells["find_credentials"]() == "Colab's secrets"
    assert "AWS_SESSION_TOKEN" not in os.environ


def test_with_nothing_there_it_says_so(cells: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google.colab.userdata", "kaggle_secrets"):
        monkeypatch.setitem(sys.modules, name, None)
    assert cells["find_credentials"]() == ""


def test_what_launch_sent_is_taken_and_removed(cells: dict[str, Any], tmp_path: Path) -> None:
    cells["boto3"].session.Session = lambda: SimpleNamespace(
        get_credentials=lambda: os.environ.get("AWS_ACCESS_KEY_ID") == "a-key"
    )
    sent = tmp_path / "gpujob-credentials.json"
    sent.write_text(json.dumps(SECRETS))
    assert cells["find_credentials"]() == "the environment"
    assert not sent.exists()


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ("s3://jobs", ("jobs", "dist/0/x.whl")),
        ("s3://jobs/", ("jobs", "dist/0/x.whl")),
        ("s3://jobs/team/gpu/", ("jobs", "team/gpu/dist/0/x.whl")),
    ],
)
def test_the_wheel_is_fetched_from_under_the_prefix(cells: dict[str, Any], store: str, place: tuple[str, str]) -> None:
    asked: list[tuple[str, str]] = []

    def get_object(*, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3 has it
        asked.append((Bucket, Key))
        return {"Body": io.BytesIO(b"wheel")}

    client = SimpleNamespace(get_object=get_object)
    cells["boto3"].session.Session = lambda: SimpleNamespace(client=lambda name, **_: client)
    cells |= {"STORE": store, "WHEEL": "dist/0/x.whl"}
    assert cells["fetch"]("x.whl") == b"wheel"
    assert asked == [place]


def test_a_wheel_beside_the_notebook_comes_first(cells: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"beside")
    assert cells["fetch"]("x.whl") == b"beside"


# ---------------------------------------------------------------------- Google Cloud Storage

GOOGLES = {"AWS_ACCESS_KEY_ID": "GOOG1EXAMPLE", "AWS_SECRET_ACCESS_KEY": "a-secret"}


def of_environment() -> SimpleNamespace:
    """boto3, as far as it looks for keys in the environment."""

    def find() -> SimpleNamespace | None:
        key = os.environ.get("AWS_ACCESS_KEY_ID")
        return SimpleNamespace(access_key=key) if key else None

    return SimpleNamespace(session=SimpleNamespace(Session=lambda: SimpleNamespace(get_credentials=find)))


@pytest.mark.parametrize(("secrets", "enough"), [(GOOGLES, True), (SECRETS, False), ({}, False)])
def test_only_googles_keys_are_keys_for_gs(
    cells: dict[str, Any], monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str], enough: bool
) -> None:
    cells |= {"boto3": of_environment(), "STORE": "gs://jobs"}
    for name, value in secrets.items():
        monkeypatch.setitem(os.environ, name, value)
    assert cells["has_keys"]() is enough
    cells["STORE"] = "s3://jobs"
    assert cells["has_keys"]() is bool(secrets)


def test_without_keys_colab_asks_for_the_account(cells: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    cells["must"] = lambda *words: asked.append(words[-1])
    monkeypatch.setitem(sys.modules, "google.colab.auth", None)
    assert cells["log_in"]() == "this machine's login to Google"
    for name in ("google", "google.colab"):
        module(monkeypatch, name)
    module(monkeypatch, "google.colab.auth", authenticate_user=lambda: asked.append("the account"))
    assert cells["log_in"]() == "your Google account"
    assert asked == ["google-auth[urllib3]>=2.40", "google-auth[urllib3]>=2.40", "the account"]


@pytest.mark.parametrize("by", ["key", "login"])
def test_the_wheel_comes_out_of_googles_bucket(
    cells: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str
) -> None:
    with imitation() as served:
        served.service.make_bucket(BUCKET).objects.slip_in("team/dist/0/x.whl", b"wheel")
        for name, value in (served.by_key if by == "key" else served.by_login(tmp_path)).items():
            monkeypatch.setitem(os.environ, name, value)
        cells |= {"boto3": boto3, "STORE": f"gs://{BUCKET}/team", "WHEEL": "dist/0/x.whl", "ENDPOINT": served.endpoint}
        assert cells["fetch"]("x.whl") == b"wheel"
        assert served.service.tokens.given == (by == "login")
