"""Who this machine is to Google: HMAC keys that are Google's, tokens that are renewed in time and after a refusal."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpujob.buckets import gcs_login
from gpujob.buckets.gcs import find_access, open_gcs
from gpujob.buckets.gcs_login import HmacKey, Login, find_hmac_key, find_login
from gpujob.errors import Configuration, Denied
from tests.contract.instant import InstantRuntime


class Account:
    """What google-auth gives: a token that lasts an hour by the clock of this machine."""

    def __init__(self, runtime: InstantRuntime, lasts_s: float = 3600.0) -> None:
        self._runtime, self._lasts_s = runtime, lasts_s
        self.token = ""
        self.made = 0
        self.expiry: datetime.datetime | None = None

    def refresh(self, request: object) -> None:
        self.made += 1
        self.token = f"token-{self.made}"
        ends = datetime.datetime.fromtimestamp(self._runtime.now() + self._lasts_s, datetime.UTC)
        self.expiry = ends.replace(tzinfo=None)  # as google-auth has it


@pytest.fixture
def runtime() -> InstantRuntime:
    return InstantRuntime()


@pytest.fixture
def account(runtime: InstantRuntime) -> Account:
    return Account(runtime)


@pytest.fixture
def login(runtime: InstantRuntime, account: Account) -> Login:
    found: Any = account
    return Login(runtime, lambda: (found, "a-project"))


def test_a_token_is_asked_for_once_and_renewed_before_it_ends(
    login: Login, runtime: InstantRuntime, account: Account
) -> None:
    assert account.made == 0, "nobody is asked before a token is needed"
    assert {login.token() for _ in range(5)} == {"token-1"}
    runtime.sleep(3600 - gcs_login.EARLY_S - 1)
    assert login.token() == "token-1"
    runtime.sleep(2)
    assert (login.token(), account.made) == ("token-2", 2)
    assert login.project() == "a-project"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"service_account_email": "w@p.iam.gserviceaccount.com"}, "w@p.iam.gserviceaccount.com"),
        ({"service_account_email": None, "account": "me@example.com"}, "me@example.com"),
        ({"service_account_email": "default"}, ""),
        ({"account": ""}, ""),
        ({}, ""),
    ],
)
def test_a_login_is_called_by_its_account_where_google_auth_knows_it(
    login: Login, account: Account, named: dict[str, Any], said: str
) -> None:
    vars(account).update(named)
    assert (login.account(), account.made) == (said, 1)


def test_a_wrong_clock_of_this_machine_renews_no_token(login: Login, runtime: InstantRuntime, account: Account) -> None:
    """google-auth reckons a token's end with the local clock; a day's jump of it must not matter."""
    login.token()
    runtime.now = lambda: 1_800_086_400.0  # type: ignore[method-assign]
    login.token()
    assert account.made == 1


def test_a_refused_token_is_renewed_once(login: Login, runtime: InstantRuntime, account: Account) -> None:
    first = login.token()
    assert login.refused(first), "a token may be withdrawn before its end"
    second = login.token()
    assert second != first
    assert login.refused(first), "another thread's refusal came late: there is a new token already"
    assert account.made == 2
    assert not login.refused(second), "a new token that is refused too is about something else"
    runtime.sleep(gcs_login.YOUNG_S + 1)
    assert login.refused(second)


def test_only_googles_keys_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert find_hmac_key() is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "amazons")
    assert find_hmac_key() is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "GOOG1EXAMPLE")
    assert find_hmac_key() == HmacKey("GOOG1EXAMPLE", "amazons", "env")
    assert "amazons" not in repr(find_hmac_key())


def test_a_profile_may_hold_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[g]\naws_access_key_id = GOOG2\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "g")
    assert find_hmac_key() == HmacKey("GOOG2", "s", "shared-credentials-file")
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    with pytest.raises(Configuration, match="not-there"):
        find_hmac_key()


def test_without_keys_and_without_google_auth_it_says_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpujob.buckets.gcs.login_installed", lambda: False)
    with pytest.raises(Denied, match="begins with GOOG") as caught:
        find_access()
    assert "gcloud storage hmac create" in str(caught.value.hint) and "gpujob[gcs]" in str(caught.value.hint)
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(Denied, match="not installed"):
        find_login()


def test_a_machine_that_is_not_logged_in_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"NO_GCE_CHECK": "true", "CLOUDSDK_CONFIG": str(tmp_path), "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Denied, match="not logged in") as caught:
        Login(InstantRuntime()).token()
    assert "gcloud auth application-default login" in str(caught.value.hint)


def test_a_token_is_not_sent_without_encryption() -> None:
    for endpoint in ("http://storage.example", "http://10.0.0.7:9000"):
        with pytest.raises(Configuration, match="without encryption"):
            open_gcs("queue", access=Login(InstantRuntime()), endpoint_url=endpoint)
    open_gcs("queue", access=Login(InstantRuntime()), endpoint_url="http://127.0.0.1:1")
    open_gcs("queue", access=HmacKey("GOOG1", "s", ""), endpoint_url="http://storage.example")


@pytest.mark.parametrize("endpoint", ["storage.googleapis.com", "ftp://x", "https://user:pw@host", "https://host/path"])
def test_an_endpoint_that_is_none_is_said_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("GPUJOB_GCS_ENDPOINT", endpoint)
    with pytest.raises(Configuration, match="GPUJOB_GCS_ENDPOINT") as caught:
        open_gcs("queue", access=HmacKey("GOOG1", "s", ""))
    assert endpoint not in f"{caught.value}"


def test_googles_refusal_is_one_line(runtime: InstantRuntime) -> None:
    from google.auth.exceptions import RefreshError, TransportError

    def refusing(error: Exception) -> Login:
        def refresh(request: object) -> None:
            raise error

        found: Any = SimpleNamespace(refresh=refresh)
        return Login(runtime, lambda: (found, ""))

    with pytest.raises(Denied, match=r"no token: invalid_grant\.$"):
        refusing(RefreshError("invalid_grant", {"a": "whole answer"})).token()  # type: ignore[no-untyped-call]
    with pytest.raises(gcs_login.Unavailable, match="did not give a token"):
        refusing(TransportError("no\nroute")).token()  # type: ignore[no-untyped-call]
