"""Who this machine is to the store: which access key, where it was found, and for how long it holds.

Invariant: no secret and no session token is read, let alone shown; of the access key only its two ends are.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from gpujob.clock import SYSTEM
from gpujob.specs.quantities import format_duration
from gpujob_cli.examinations.findings import Finding

SOON_S = 3600.0
REMEDY = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"

_FROM = {
    "env": "the environment",
    "shared-credentials-file": "{profile} of the shared credentials file",
    "config-file": "{profile} of the AWS config file",
    "assume-role": "a role that {profile} assumes",
    "assume-role-with-web-identity": "a role, by a web identity",
    "sso": "a single sign-on, {profile}",
    "login": "a log-in, {profile}",
    "custom-process": "the program that {profile} names",
    "iam-role": "the role of this machine",
    "container-role": "the role of this container",
    "explicit": "the program itself",
}
_RENEWED_BY_NOBODY = ("env", "shared-credentials-file", "config-file", "explicit")


def look(session: boto3.session.Session) -> Iterator[Finding]:
    """The access key that botocore's chain finds."""
    try:
        found: Any = session.get_credentials()
        key = str(found.access_key) if found is not None else ""
    except (BotoCoreError, RuntimeError) as error:  # botocore raises RuntimeError for a session that has expired
        yield Finding("credentials", "broken", " ".join(str(error).split()), "log in again, or " + REMEDY)
        return
    if not key:
        yield Finding("credentials", "broken", "none found in botocore's chain", REMEDY)
        return
    yield _found(key, str(found.method), session.profile_name, bool(found.token), _seconds_left(found))


def masked(key: str) -> str:
    """An access key that its owner knows again: its first and last characters."""
    first, last = (4, 4) if len(key) >= 16 else (4, 2) if len(key) >= 10 else (1, 1)
    return f"{key[:first]}…{key[-last:]}" if len(key) >= 4 else "…"


def _found(key: str, method: str, profile: str, temporary: bool, left_s: float | None) -> Finding:
    origin = _FROM.get(method, method).format(profile=f"profile {profile}")
    text = f"{masked(key)}, from {origin}"
    facts = {"access_key": masked(key), "from": method, "profile": profile, "temporary": temporary, "left_s": left_s}
    if not temporary:
        return Finding("credentials", "ok", text, facts=facts)
    lasting = "temporary" if left_s is None else f"temporary, {format_duration(max(0.0, left_s))} left"
    if method not in _RENEWED_BY_NOBODY:
        return Finding("credentials", "ok", f"{text}, {lasting}, renewed by itself", facts=facts)
    text = f"{text}, {lasting}; nobody renews them, and a worker that outlives them stops serving"
    urgent = left_s is not None and left_s < SOON_S
    return Finding(
        "credentials",
        "note",
        text,
        "log in again" if urgent else "give workers a key or a role that lasts",
        facts=facts,
    )


def _seconds_left(found: Any) -> float | None:
    """How long temporary credentials hold; None where botocore does not know. The field has no public name."""
    until = getattr(found, "_expiry_time", None)
    return until.timestamp() - SYSTEM.now() if isinstance(until, datetime.datetime) else None
