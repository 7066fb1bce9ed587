"""Which access key is used, where it was found, and how long it holds."""

from __future__ import annotations

import datetime
from pathlib import Path

import boto3.session
import pytest

from gpujob_cli.examinations import credentials
from gpujob_cli.examinations.findings import Finding

SECRET, TOKEN = "s3cr3t-s3cr3t", "t0ken-t0ken"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def looked(session: boto3.session.Session | None = None) -> Finding:
    (found,) = credentials.look(session or boto3.session.Session())
    shown = repr(found.as_dict())
    assert SECRET not in shown and TOKEN not in shown
    return found


@pytest.mark.parametrize(
    ("key", "shown"),
    [("AKIAIOSFODNN7EXAMPLE", "AKIA…MPLE"), ("gpujob-root", "gpuj…ot"), ("minio", "m…o"), ("key", "…"), ("", "…")],
)
def test_a_key_is_known_again_by_its_ends(key: str, shown: str) -> None:
    assert credentials.masked(key) == shown


def test_none_at_all_is_broken() -> None:
    found = looked()
    assert found.status == "broken" and "AWS_ACCESS_KEY_ID" in found.next


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    found = looked()
    assert (found.status, found.text) == ("ok", "AKIA…MPLE, from the environment")


def test_from_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[work]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert looked().text == "AKIA…MPLE, from profile work of the shared credentials file"


def test_half_a_pair_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    found = looked()
    assert found.status == "broken" and "Partial credentials" in found.text


@pytest.mark.parametrize(("hours", "next_"), [(5, "that lasts"), (0.5, "log in again")])
def test_temporary_ones_say_how_long_they_hold(monkeypatch: pytest.MonkeyPatch, hours: float, next_: str) -> None:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours, seconds=30)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", until.isoformat())
    found = looked()
    assert found.status == "note" and "nobody renews them" in found.text and next_ in found.next
    assert 0 < found.facts["left_s"] - hours * 3600 <= 30


def test_ones_that_have_ended_are_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")
    found = looked()
    assert found.status == "broken" and "expired" in found.text and "log in again" in found.next


def test_a_token_without_an_end_is_temporary_all_the_same() -> None:
    found = looked(boto3.session.Session("ASIAIOSFODNN7EXAMPLE", SECRET, TOKEN))
    assert found.status == "note" and found.facts["left_s"] is None
