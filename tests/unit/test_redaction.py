"""Secrets stay out of texts and JSON, in the forms in which things are written down."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote, quote_plus

import pytest

from gpujob.log_lines import CleanFormatter
from gpujob.redaction import Redactor, too_short, without_passwords

SECRET = 'p@ss/w"ord \\ with+more é'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps({"token": SECRET}),
        json.dumps({"token": SECRET}, ensure_ascii=False),
        repr({"token": SECRET}),
        f"https://host/?token={quote(SECRET)}&more",
        f"https://host/?token={quote_plus(SECRET)}&more",
        f"Authorization: Basic {base64.b64encode(SECRET.encode()).decode()}",
    ],
)
def test_a_value_is_found_however_it_is_written(written: str) -> None:
    hidden = Redactor({"MY_TOKEN": SECRET}).text(f"before {written} after")
    assert "[secret MY_TOKEN]" in hidden and hidden.startswith("before ") and hidden.endswith(" after")
    for trace in (SECRET, "ord", "p%40ss", base64.b64encode(SECRET.encode()).decode()[:12]):
        assert trace not in hidden


def test_each_line_of_a_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nabcdefghijkl\nmnopqrstuvwx\n-----END KEY-----"
    redactor = Redactor({"KEY": key})
    assert redactor.text("half of it: abcdefghijkl") == "half of it: [secret KEY]"
    assert "mnop" not in redactor.text(key)


def test_json_is_looked_through_whole() -> None:
    value = {"a": [{"hunter22": "x hunter22 y"}, 7, None, True], "b": ("hunter22",)}
    assert Redactor({"S": "hunter22"}).json(value) == {
        "a": [{"[secret S]": "x [secret S] y"}, 7, None, True],
        "b": ["[secret S]"],
    }


def test_the_longer_of_two_values_is_hidden_whole() -> None:
    redactor = Redactor({"SHORT": "abcdef", "LONG": "abcdef-ghijkl"})
    assert redactor.text("abcdef-ghijkl abcdef") == "[secret LONG] [secret SHORT]"


def test_what_is_too_short_is_left_and_named() -> None:
    values = {"PIN": "1234", "EMPTY": "", "FINE": "123456"}
    assert Redactor(values).text("1234 123456") == "1234 [secret FINE]"
    assert too_short(values) == ["PIN"]


def test_without_values_nothing_changes() -> None:
    value = {"same": "object"}
    assert Redactor({}).json(value) is value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach http://user:pass@host:9000/bucket", "cannot reach http://host:9000/bucket"),
        ("s3://key:secret@bucket/prefix", "s3://bucket/prefix"),
        ("'https://a:b@h' and \"https://c:d@h\"", "'https://h' and \"https://h\""),
        ("https://host/mail@example.org", "https://host/mail@example.org"),
        ("nobody@example.org", "nobody@example.org"),
    ],
)
def test_no_address_keeps_a_password(text: str, shown: str) -> None:
    assert without_passwords(text) == shown


def test_the_log_of_a_worker_shows_no_secret() -> None:
    formatter = CleanFormatter("%(message)s")
    formatter.redactor = Redactor({"MY_TOKEN": "hunter22"})
    try:
        raise ValueError("the library choked on hunter22 from http://a:hunter33@host")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("x", logging.ERROR, "", 1, "failed with %s", ("hunter22",), info)
    line = formatter.format(record)
    assert "[secret MY_TOKEN]" in line and "Traceback" in line
    assert "hunter22" not in line and "hunter33" not in line
