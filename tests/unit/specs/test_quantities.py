"""Durations and sizes: what is written is read back, and what is nonsense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpujob.specs.quantities import (
    MAX_DURATION_S,
    MAX_SIZE_BYTES,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("400ms", 0.4),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1h 30m", 5400),
        ("90", 90),
        (90, 90),
        (0.25, 0.25),
        ("3d", 259200),
        (" 5s ", 5),
        ("0s", 0),
        ("0.1s", 0.1),
    ],
)
def test_durations_as_people_write_them(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "5x", "-5s", -1, "1m1h", "1s1s", "1h30", "5 5s", True, None, [], float("nan"), float("inf"), "9" * 40],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError):
        parse_duration(text)


def test_a_refused_duration_says_how_to_write_one():
    with pytest.raises(ValueError, match=r"'5x' is not a duration, write it like 30s, 10m, 2h, 400ms or 1h30m"):
        parse_duration("5x")


@settings(deadline=None)
@given(st.integers(0, MAX_DURATION_S * 1000))
def test_an_exact_duration_is_read_back(milliseconds):
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds, exact=True)) == seconds


@settings(deadline=None)
@given(st.floats(0, MAX_DURATION_S / 2))
def test_a_duration_for_people_is_near(seconds):
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= max(0.5005, seconds * 0.0001)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.4, "400ms"),
        (3.21, "3.2s"),
        (9.96, "10s"),
        (72.4, "1m12s"),
        (86_400, "24h"),
        (30 * 86_400, "30d"),
        (-5, "-5s"),
    ],
)
def test_durations_for_people(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8 * 10**9),
        ("8 gb", 8 * 10**9),
        ("8G", 8 * 10**9),
        ("512MiB", 512 * 2**20),
        ("1.5KiB", 1536),
        ("1000", 1000),
        (1000, 1000),
        ("11.9 MB", 11_900_000),
        ("7 B", 7),
    ],
)
def test_sizes_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "8XB", "-1", -1, "1.5", "0.1B", True, None, 1.5, "8GBs", "9" * 40])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError):
        parse_size(text)


@settings(deadline=None)
@given(st.integers(0, MAX_SIZE_BYTES))
def test_an_exact_size_is_read_back(size):
    assert parse_size(format_size(size, exact=True)) == size


@settings(deadline=None)
@given(st.integers(0, 2**59))
def test_a_size_for_people_is_near(size):
    assert abs(parse_size(format_size(size)) - size) <= size * 0.051


def test_sizes_for_people():
    assert [format_size(size) for size in (0, 999, 1000, 11_900_000, 123_456_789, 8 * 10**9)] == [
        "0 B", "999 B", "1.0 kB", "11.9 MB", "123 MB", "8.0 GB",
    ]  # fmt: skip
    assert format_size(512 * 2**20, exact=True) == "512MiB"
