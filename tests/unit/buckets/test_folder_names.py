"""Keys to file names and back: no two keys share a file, and nothing but a key's own file means that key."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpujob.buckets.folder.names import NAME_BYTES, file_of, folder_of, key_part
from gpujob.errors import UnsafeName

ODD = st.sampled_from("aAzZ09._-%@/~ éÉñ\u0301日😀\n")
KEYS = st.text(ODD, min_size=1, max_size=24) | st.text(min_size=1, max_size=24)


def stored(key: str) -> str | None:
    try:
        return file_of(key)
    except UnsafeName:
        return None


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ("queue.json", "queue.json@"),
        ("pending/5/01jd.tts.narrate.json", "pending/5/01jd.tts.narrate.json@"),
        ("workers/Host-1.json", "workers/%48ost-1.json@"),
        (".hidden/...", "%2ehidden/%2e..@"),
        ("a@/50%", "a%40/50%25@"),
        ("é", "%c3%a9@"),
    ],
)
def test_names_stay_readable(key: str, file: str) -> None:
    assert file_of(key) == file


@given(KEYS)
def test_a_file_name_says_its_key(key: str) -> None:
    file = stored(key)
    if file is not None:
        *folders, name = file.split("/")
        assert "".join(str(key_part(part)) for part in folders) + str(key_part(name)) == key


@given(KEYS, KEYS)
def test_no_two_keys_share_a_file_even_where_case_does_not_count(one: str, other: str) -> None:
    if one != other and stored(one) is not None:
        assert str(stored(one)).lower() != str(stored(other)).lower()


@given(KEYS)
def test_a_file_never_leaves_the_root(key: str) -> None:
    file = stored(key)
    if file is None:
        assert key.startswith("/") or key.endswith("/") or re.search(r"(^|/)(\.{0,2})(/|$)|\0|[\ud800-\udfff]", key)
        return
    assert re.fullmatch(r"[a-z0-9%_-][a-z0-9%._-]*(/[a-z0-9%_-][a-z0-9%._-]*)*@", file)
    assert all(len(part) <= NAME_BYTES for part in file.split("/"))


@given(KEYS, KEYS)
def test_an_object_never_stands_where_a_folder_belongs(one: str, other: str) -> None:
    if stored(one) is not None and stored(f"{one}/{other}") is not None:
        assert not str(stored(f"{one}/{other}")).startswith(str(stored(one)) + "/")
        assert str(stored(f"{one}/{other}")).startswith(folder_of(one) + "/")


@pytest.mark.parametrize(
    "name", ["@", "A@", "é@", "%4A@", "%61@", "%zz@", "%@", ".scratch", ".x@", "%2e", "%2e%2e@", "a b", "a%00@", "%ff"]
)
def test_a_name_that_the_bucket_never_makes_is_no_key(name: str) -> None:
    assert key_part(name) is None
