"""Buckets on one imitation for a whole module: import the fixtures that a test needs.

Invariant: the imitation is as strict as it can be (one change of a name a second, exactly, 429 before any look at the
condition), and the waits which that costs are instant. Each test works under a prefix of its own.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from gpujob.buckets.gcs import ADVICE, GoogleBucket, open_gcs
from gpujob.buckets.gcs_login import HmacKey, Login
from gpujob.buckets.s3_place import S3Place
from tests.google.imitation import ACCESS_ID, BUCKET, SECRET, Imitation, imitation
from tests.google.instant import InstantTurns

KEY = HmacKey(ACCESS_ID, SECRET, "the test")
PART_BYTES = 5 << 20  # the smallest that may be
_folders = itertools.count()


class ObjectsBackDoor:
    """Looks at what the imitation holds, without a request."""

    def __init__(self, served: Imitation, prefix: str) -> None:
        self._objects = served.service.make_bucket(BUCKET).objects
        self._prefix = prefix

    def raw_get(self, key: str) -> bytes | None:
        stored = self._objects.get(self._prefix + key)
        return stored.body if stored else None

    def raw_put(self, key: str, body: bytes) -> None:
        self._objects.slip_in(self._prefix + key, body)

    def raw_keys(self) -> list[str]:
        return [name.removeprefix(self._prefix) for name in self._objects.names() if name.startswith(self._prefix)]


@pytest.fixture
def folder() -> str:
    """A prefix that no other test uses."""
    return f"tests/{os.getpid()}-{next(_folders)}"


@pytest.fixture(scope="module")
def turns() -> InstantTurns:
    return InstantTurns()


@pytest.fixture(scope="module")
def google(turns: InstantTurns) -> Iterator[Imitation]:
    with imitation(turnstile=turns.turnstile) as served:
        yield served


@pytest.fixture(scope="module")
def login(google: Imitation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """A machine that is logged in as a service account."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in google.by_login(tmp_path_factory.mktemp("login")).items():
            patch.setenv(name, value)
        yield Login(InstantTurns())


@pytest.fixture(scope="module")
def by_key(google: Imitation, turns: InstantTurns) -> GoogleBucket:
    return open_gcs(BUCKET, runtime=turns, access=KEY, endpoint_url=google.endpoint, part_bytes=PART_BYTES)


@pytest.fixture(scope="module")
def by_token(google: Imitation, turns: InstantTurns, login: Login) -> GoogleBucket:
    return open_gcs(BUCKET, runtime=turns, access=login, endpoint_url=google.endpoint, part_bytes=PART_BYTES)


def under(bucket: GoogleBucket, folder: str) -> GoogleBucket:
    """The same bucket and connections, under a prefix: to make clients for each test would take half a second each."""
    place = S3Place(bucket._place.clients, BUCKET, folder, scheme="gs", advice=ADVICE)
    return GoogleBucket(place, bucket._pace, part_bytes=PART_BYTES)
