"""A bucket on Google Cloud Storage: its XML API through boto3, in Google's own dialect.

Invariant: as the S3 bucket's, one call of a verb is one HTTP request, sent once, and a version is the object's
generation, in every answer and in listings. A change may wait up to a second for its turn before it is sent.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from gpujob import settings
from gpujob.buckets import s3_transfer
from gpujob.buckets.gcs_dialect import GoogleDialect, md5_in_hash
from gpujob.buckets.gcs_login import SET_UP, HmacKey, Login, find_hmac_key, login_installed
from gpujob.buckets.gcs_pace import Pace
from gpujob.buckets.s3 import EtagStyle, S3Bucket
from gpujob.buckets.s3_client import S3Clients, Timeouts
from gpujob.buckets.s3_clock import StoreClock
from gpujob.buckets.s3_errors import Advice
from gpujob.buckets.s3_place import S3Place
from gpujob.clock import SYSTEM, Runtime
from gpujob.errors import Busy, Configuration, Denied

REGION = "auto"
SHORTEST_BEAT_S = 2.0  # one change of an object a second, and a beat must not meet its own neighbour

ADVICE = Advice(
    set_keys=SET_UP,
    log_in="Log in again: `gcloud auth application-default login`, or on Colab authenticate_user().",
    allow=(
        "Give the account roles/storage.objectUser on the bucket, or what `gpujob init URL --policies` prints; or use "
        "credentials that have it."
    ),
    unreachable="Is the network there, and is GPUJOB_GCS_ENDPOINT right where it is set?",
)


class GoogleBucket(S3Bucket):
    """The queue's bucket at one place of Google Cloud Storage. `open_gcs` makes one from a name."""

    def __init__(self, place: S3Place, pace: Pace, *, part_bytes: int = s3_transfer.PART_BYTES) -> None:
        super().__init__(place, part_bytes=part_bytes)
        self._pace = pace

    @property
    def place(self) -> S3Place:
        """Where its requests go, for questions that are no verb of a bucket."""
        return self._place

    def fresh_connection(self, *, silence_s: float = math.inf) -> GoogleBucket:
        return GoogleBucket(self._place.fresh(silence_s=silence_s), self._pace, part_bytes=self._part_bytes)

    def with_etag_style(self, etag_style: EtagStyle) -> GoogleBucket:
        """The same bucket: a generation has one style."""
        return self

    def delete(self, key: str) -> None:
        with self._pace.change_of(key):
            super().delete(key)

    def create(self, key: str, body: bytes) -> str:
        with self._pace.change_of(key):
            return super().create(key, body)

    def replace(self, key: str, body: bytes, version: str) -> str:
        with self._pace.change_of(key):
            return super().replace(key, body, version)

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        with self._pace.change_of(key):
            super().upload(key, source, media_type=media_type)

    def _md5_of(self, answer: Any) -> str:
        return md5_in_hash(answer)

    def create_bucket(self) -> bool:
        """As for S3, in the project that is set, logged in to or the HMAC key's default, in Google's default location."""
        place = self._place
        if place.ask_if_there("HEAD", "", lambda: self._s3.head_bucket(Bucket=place.name)) is not None:
            return False
        try:
            place.ask("PUT", "", lambda: self._s3.create_bucket(Bucket=place.name))
        except (Busy, Configuration) as error:
            by_hand = f"gcloud storage buckets create gs://{place.name}"
            raise type(error)(
                f"{error.message} Make the bucket by hand, then run init again.",
                hint=f"{by_hand} --uniform-bucket-level-access --soft-delete-duration=0",
            ) from error
        return True


def open_gcs(
    name: str,
    prefix: str = "",
    *,
    runtime: Runtime = SYSTEM,
    timeouts: Timeouts | None = None,
    access: HmacKey | Login | None = None,
    endpoint_url: str | None = None,
    part_bytes: int = s3_transfer.PART_BYTES,
) -> GoogleBucket:
    """The bucket `name`. Sends nothing.

    Signs with an HMAC key where botocore's chain has one, else with the OAuth token of this machine's login to Google.
    Raises `Denied` where there is neither, `Configuration` for settings that cannot work.
    """
    access = access or find_access(runtime)
    clock = StoreClock()
    login = access if isinstance(access, Login) else None
    endpoint = endpoint_url or settings.google_endpoint()
    if login is not None:
        _require_private(endpoint)
    clients = S3Clients(
        runtime,
        timeouts=timeouts,
        session=_session(access),
        endpoint_url=endpoint,
        clock=clock,
        dialect=GoogleDialect(clock, login),
    )
    return GoogleBucket(
        S3Place(clients, name, prefix, scheme="gs", advice=ADVICE), Pace(runtime), part_bytes=part_bytes
    )


def find_access(runtime: Runtime = SYSTEM) -> HmacKey | Login:
    """What signs requests from this machine. Asks nobody; raises `Denied` where there is nothing to try."""
    key = find_hmac_key()
    if key is not None:
        return key
    if not login_installed():
        raise Denied(
            "No HMAC key for gs:// is set (its access key begins with GOOG), and google-auth, which would use a login to "
            "Google, is not installed.",
            hint=SET_UP,
        )
    return Login(runtime)


def _session(access: HmacKey | Login) -> boto3.session.Session:
    """A session that looks for no other credentials: a login's signer uses none, and botocore would ask around for some."""
    pair = ("unused", "unused") if isinstance(access, Login) else (access.access_id, access.secret)
    return boto3.session.Session(*pair, region_name=REGION)


def _require_private(endpoint: str) -> None:
    """A token opens all that its owner may open, so it travels encrypted, or not at all."""
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Configuration(
            f"{parts.scheme}://{parts.hostname} is no place for an OAuth token: it would be sent without encryption.",
            hint="Set GPUJOB_GCS_ENDPOINT to an https address, or unset it.",
        )
