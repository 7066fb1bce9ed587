"""Questions to an S3 store that no bucket verb asks: of its settings, its policies, and of who may read.

Invariant: every question is a read, is sent once (twice where only the clock was wrong), and has a short time-out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from gpujob.buckets.s3_client import Timeouts
from gpujob.buckets.s3_errors import code_of, status_of
from gpujob.buckets.s3_place import S3Place
from gpujob.errors import Denied, GpujobError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

QUICK = Timeouts(connect_s=2.0, read_s=4.0, transfer_read_s=4.0)
LOOPBACK = ("localhost", "127.0.0.1", "::1")

UNANSWERED = (BotoCoreError, ResponseParserError, HTTPError, GpujobError, ValueError, TypeError, RuntimeError)
"""The last three are botocore's own for a number or a moment in an answer that is none."""

Kind = Literal["given", "absent", "denied", "unsupported", "silent"]


@dataclass(frozen=True)
class Answer:
    """What the store said: the answer itself, that there is none, that it may not be asked or does not know, or nothing."""

    kind: Kind
    value: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def given(self) -> bool:
        """Whether there is an answer to read."""
        return self.kind == "given"


def ask(question: Callable[[], Any]) -> Answer:
    """The answer to one request; whatever boto3, or a signer of ours, raises is an answer too."""
    try:
        value = question()
    except ClientError as error:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return Answer(_kind(status_of(error)), code=code_of(error), headers=headers)
    except Denied as error:  # there is nothing to sign with
        return Answer("denied", code=type(error).__name__)
    except UNANSWERED as error:
        return Answer("silent", code=type(error).__name__)
    return Answer("given", value, headers=value.get("ResponseMetadata", {}).get("HTTPHeaders", {}))


class S3Asking:
    """One bucket and prefix, with this machine's credentials or with none."""

    def __init__(self, place: S3Place) -> None:
        self.place = place
        self.clients = place.clients
        self.name = place.name
        self.prefix = place.prefix

    @property
    def client(self) -> S3Client:
        """The client that signs."""
        return self.clients.requests

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.place.endpoint).hostname or ""

    @property
    def is_amazon(self) -> bool:
        """Whether this is Amazon's own service."""
        return self.host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @property
    def on_loopback(self) -> bool:
        """Whether the server is on this very machine."""
        return self.host in LOOPBACK

    @cached_property
    def heading(self) -> Answer:
        """The bucket's own headers: region and server are in them even where the answer is a refusal."""
        return self.ask(lambda: self.client.head_bucket(Bucket=self.name))

    @property
    def server(self) -> str:
        """What the server calls itself."""
        return str(self.heading.headers.get("server", ""))

    def ask(self, question: Callable[[], Any]) -> Answer:
        """The answer to one request; sent again where the store refused it for this machine's clock alone."""

        def send() -> Any:
            signed_offset_s = self.clients.clock.offset_s
            try:
                return question()
            except ClientError as error:
                if self.clients.clock.learn(error, self.clients.runtime.now(), signed_offset_s):
                    return question()
                raise

        return ask(send)

    @cached_property
    def anonymous(self) -> S3Client:
        """A client that signs nothing: what it is given, everybody is given."""
        settings = Config(
            signature_version=UNSIGNED,
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=QUICK.connect_s,
            read_timeout=QUICK.read_s,
        )
        return self.clients.session.client("s3", endpoint_url=self.clients.endpoint_url, config=settings)


def _kind(status: int) -> Kind:
    if status in (401, 403):
        return "denied"
    if status == 404:
        return "absent"
    return "unsupported" if status in (400, 405, 501) else "silent"
