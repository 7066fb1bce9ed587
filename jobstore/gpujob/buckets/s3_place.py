"""One bucket and prefix at one endpoint, and what becomes of a request that fails there.

Invariant: nothing that boto3 or urllib3 raises leaves `ask`; callers meet gpujob's own errors only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from gpujob.buckets.s3_client import S3Clients, plain_endpoint
from gpujob.buckets.s3_errors import AMAZON, Advice, Sent, from_answer, from_transport, missing, withheld
from gpujob.errors import Busy

T = TypeVar("T")

READS = ("GET", "HEAD", "LIST")
UNREADABLE = (ValueError, TypeError, RuntimeError)  # botocore's, for a number or a moment in an answer that is none


class S3Place:
    """Where requests go: `name` is the bucket, `prefix` is empty or ends in a slash."""

    def __init__(
        self, clients: S3Clients, name: str, prefix: str, *, scheme: str = "s3", advice: Advice = AMAZON
    ) -> None:
        self.clients = clients
        self.name = name
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.scheme = scheme
        self.advice = advice
        self.url = f"{scheme}://{name}/{self.prefix}".rstrip("/")
        self.endpoint = "the configured endpoint"
        self.endpoint = self.ask("OPEN", "", lambda: plain_endpoint(clients.requests.meta.endpoint_url))

    def fresh(self, *, silence_s: float = math.inf) -> S3Place:
        """The same place through connections that nothing else uses, with time-outs of `silence_s` at the most."""
        clients = self.clients.fresh(silence_s=silence_s)
        return S3Place(clients, self.name, self.prefix, scheme=self.scheme, advice=self.advice)

    def at(self, key: str) -> dict[str, str]:
        """The two parameters that name an object."""
        return {"Bucket": self.name, "Key": self.prefix + key}

    def ask(self, verb: str, key: str, send: Callable[[], T], *, replaces: bool = False) -> T:
        """What `send` returns; a failure becomes one of gpujob's errors."""
        sent = Sent(verb, key, self.url, self.endpoint, replaces, self.advice)
        signed_offset_s = self.clients.clock.offset_s
        try:
            return send()
        except ClientError as error:
            if self.clients.clock.learn(error, self.clients.runtime.now(), signed_offset_s):
                raise Busy(f"The store refused {sent} because of this machine's clock; send it again.") from error
            if self.clients.dialect is not None and self.clients.dialect.renewed(error):
                raise Busy(f"The store refused {sent} because its token had ended; send it again.") from error
            raise withheld(error, sent) or from_answer(error, sent) from error
        except (BotoCoreError, ResponseParserError, HTTPError) as error:
            raise from_transport(error, sent) from error
        except UNREADABLE as error:
            if verb not in READS:
                raise
            raise from_transport(error, sent) from error

    def ask_if_there(self, verb: str, key: str, send: Callable[[], T]) -> T | None:
        """As `ask`, and None where the store says that there is no such object."""

        def tolerant() -> T | None:
            try:
                return send()
            except ClientError as error:
                if missing(error):
                    return None
                raise

        return self.ask(verb, key, tolerant)
