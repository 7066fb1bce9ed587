"""boto3 clients with the settings that S3-compatible stores need, one connection pool for each kind of traffic.

Invariant: a client named `requests` sends each call exactly once. The SDK's own retries would turn "my write landed,
the answer was lost" into "somebody else won", so they are off wherever a condition is involved.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from gpujob.buckets.s3_clock import StoreClock
from gpujob.clock import Runtime
from gpujob.errors import Configuration

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Purpose = Literal["requests", "transfer", "multipart"]

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
TRANSFER_READ_TIMEOUT_S = 60.0
POOL = 72  # as many as the deepest probe has racers, and some; a connection is made when it is needed
PART_ATTEMPTS = 4  # of one part of a multipart upload: each part is a plain put under a name of its own

TIGRIS = ("tigris.dev", "storage.dev", "tigrisfiles.io")


@dataclasses.dataclass(frozen=True)
class Timeouts:
    """How long one request may take to connect and then to stay silent."""

    connect_s: float = CONNECT_TIMEOUT_S
    read_s: float = READ_TIMEOUT_S
    transfer_read_s: float = TRANSFER_READ_TIMEOUT_S

    def within(self, silence_s: float) -> Timeouts:
        """The same, none of them longer than `silence_s`."""
        return Timeouts(*(min(one, silence_s) for one in (self.connect_s, self.read_s, self.transfer_read_s)))


class Dialect(Protocol):
    """What a store says differently from S3."""

    def install(self, events: Any) -> None:
        """Registers its handlers with a client's events."""
        ...

    def renewed(self, error: ClientError) -> bool:
        """True when a refusal was about credentials that have been renewed since: the same request may be sent again."""
        ...


class S3Clients:
    """Makes clients as they are needed and keeps them; each has its own connection pool.

    Credentials, region, profile and endpoint are botocore's own chain, unless `session` or `endpoint_url` is given.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        timeouts: Timeouts | None = None,
        session: boto3.session.Session | None = None,
        endpoint_url: str | None = None,
        clock: StoreClock | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        self.runtime = runtime
        self.timeouts = timeouts or Timeouts()
        self.session = session or _own_session()
        self.endpoint_url = endpoint_url
        self.clock = clock or StoreClock()
        self.dialect = dialect
        self._made: dict[Purpose, S3Client] = {}
        self._lock = runtime.lock()

    def fresh(self, *, silence_s: float = math.inf) -> S3Clients:
        """The same store through connections that nothing else uses, with time-outs of `silence_s` at the most."""
        return S3Clients(
            self.runtime,
            timeouts=self.timeouts.within(silence_s),
            session=self.session,
            endpoint_url=self.endpoint_url,
            clock=self.clock,
            dialect=self.dialect,
        )

    @property
    def requests(self) -> S3Client:
        """For small requests, conditional writes above all: each call is sent once."""
        return self._client("requests")

    @property
    def transfer(self) -> S3Client:
        """For bodies of any size in one request: each call is sent once."""
        return self._client("transfer")

    @property
    def multipart(self) -> S3Client:
        """For uploads in parts, each sent again a few times if it fails."""
        return self._client("multipart")

    def _client(self, purpose: Purpose) -> S3Client:
        with self._lock:
            client = self._made.get(purpose)
            if client is None:
                client = self._made[purpose] = self._make(purpose)
            return client

    def _make(self, purpose: Purpose) -> S3Client:
        try:
            client = self.session.client("s3", endpoint_url=self.endpoint_url, config=self._config(purpose))
        except ValueError:  # botocore's words would repeat a password in it
            raise Configuration(
                "The endpoint that is set for the store is no address: a scheme and a host are, such as "
                "http://127.0.0.1:9000.",
                hint="Correct AWS_ENDPOINT_URL_S3 (GPUJOB_GCS_ENDPOINT for gs://), or the profile's endpoint_url.",
            ) from None
        events = cast(Any, client.meta.events)  # the stubs think that handlers return nothing
        if self.dialect is not None:
            self.dialect.install(events)
            return client
        events.register_first("choose-signer.s3", self.clock.choose_signer)
        if is_tigris(client.meta.endpoint_url):
            events.register("before-call.s3", _ask_tigris_for_consistency)
        return client

    def _config(self, purpose: Purpose) -> Config:
        """No addressing style is given: botocore uses paths for every endpoint that is not AWS's own."""
        return Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": PART_ATTEMPTS if purpose == "multipart" else 1},
            connect_timeout=self.timeouts.connect_s,
            read_timeout=self.timeouts.read_s if purpose == "requests" else self.timeouts.transfer_read_s,
            max_pool_connections=POOL,
            tcp_keepalive=True,
            user_agent_extra="gpujob",
        )


def _own_session() -> boto3.session.Session:
    """A session with the settings of this machine; `Configuration` where AWS's files or AWS_PROFILE cannot be used."""
    try:
        return boto3.session.Session()
    except BotoCoreError as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise Configuration(
            f"AWS's settings on this machine cannot be used: {said}.", hint="Check AWS_PROFILE and AWS's config files."
        ) from error


def is_tigris(endpoint: str) -> bool:
    """Whether an endpoint is Tigris, whose global buckets are consistent only for those who ask."""
    host = urlsplit(endpoint).hostname or ""
    return any(host == name or host.endswith("." + name) for name in TIGRIS)


def _ask_tigris_for_consistency(params: dict[str, Any], **_: object) -> None:
    params["headers"]["X-Tigris-Consistent"] = "true"


def plain_endpoint(endpoint: str) -> str:
    """An endpoint URL for messages: scheme, host and port, never a user's name or password."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
