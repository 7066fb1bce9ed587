"""Signing with the store's clock, for a machine whose own clock is too far off.

A signature names a moment, and a store refuses (403 RequestTimeTooSkewed) one that is some 15 minutes away from its
own. The refusal carries the store's `Date`: from then on signatures are made for that clock, and it is said once.

Invariant: the offset touches signatures only. Nothing else in gpujob asks what time this machine thinks it is.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest

SIGNER = "gpujob-s3v4-store-clock"
SKEW_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
SUSPICIOUS_S = 300.0  # an answer to HEAD carries no code: a 403 with a Date this far away is taken for skew
NEWS_S = 60.0  # a second refusal changes the offset only if it differs by more than this

_CONTEXT_KEY = "gpujob_offset_s"
_log = logging.getLogger("gpujob.buckets.s3")


class StoreClockAuth(S3SigV4Auth):
    """Signature version 4 for the moment that the store's clock shows."""

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        context: dict[str, Any] = request.context
        local = datetime.datetime.strptime(context["timestamp"], SIGV4_TIMESTAMP)  # noqa: DTZ007  # UTC in and out
        shifted = local + datetime.timedelta(seconds=context[_CONTEXT_KEY])
        context["timestamp"] = shifted.strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # the stubs leave it out


AUTH_TYPE_MAPS[SIGNER] = StoreClockAuth


class StoreClock:
    """How far one store's clock is ahead of this machine's; all clients of a bucket share one."""

    def __init__(self) -> None:
        self.offset_s = 0.0

    def choose_signer(self, context: dict[str, Any], **_: object) -> str | None:
        """Handler of botocore's `choose-signer` event: the ordinary signer as long as the clocks agree."""
        if not self.offset_s:
            return None
        context[_CONTEXT_KEY] = self.offset_s
        return SIGNER

    def learn(self, error: ClientError, now: float, signed_offset_s: float) -> bool:
        """True when the refusal was for the clock, and there is another offset than the request was signed with.

        Then the same request may be sent again. Of two that are refused at once only the first teaches anything.
        """
        date = answer_date(error.response)
        if date is None or not is_skew(error, date - now):
            return False
        offset_s = date - now
        if abs(offset_s - self.offset_s) <= NEWS_S:
            return abs(signed_offset_s - self.offset_s) > NEWS_S
        self.offset_s = offset_s
        _log.warning("%s; requests are now signed for the store's time", describe(offset_s))
        return True


def is_skew(error: ClientError, offset_s: float) -> bool:
    """Whether a refusal is about the clock: by its code, or (HEAD has none) by how far the clocks are apart."""
    code = error.response.get("Error", {}).get("Code", "")
    return code in SKEW_CODES or (code in ("403", "") and abs(offset_s) > SUSPICIOUS_S)


def describe(offset_s: float) -> str:
    """A sentence's beginning: by how much this machine's clock is off."""
    minutes = round(abs(offset_s) / 60)
    amount = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
    return f"This machine's clock is {amount} {'behind' if offset_s > 0 else 'ahead of'} the store's"


def answer_date(response: Mapping[str, Any]) -> float | None:
    """The `Date` of an answer in seconds since 1970, None where the answer has none that can be read."""
    header = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return None if header is None else parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
