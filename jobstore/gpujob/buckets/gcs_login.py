"""Who this machine is to Google Cloud Storage: the owner of an HMAC key, or whoever is logged in to Google here.

Invariant: only what belongs to Google is sent to Google. An access key of an HMAC pair begins with GOOG; any other key in
botocore's chain is Amazon's (or a local server's), and is left alone.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import BotoCoreError

from gpujob.clock import Runtime
from gpujob.errors import Configuration, Denied, Unavailable

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
GOOGLE = "GOOG"  # what the access key of every HMAC pair begins with
EARLY_S = 240.0  # a token is renewed so long before it ends
YOUNG_S = 60.0  # a token that was made for a refusal and is refused again so soon is not made anew

SET_UP = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to an HMAC key (`gcloud storage hmac create SERVICE-ACCOUNT`), or log "
    "in with `gcloud auth application-default login` and `pip install 'gpujob[gcs]'`."
)
_LOG_IN_AGAIN = "Log in again: `gcloud auth application-default login`, or on Colab authenticate_user()."
# Where a key pair may stand. The other places of botocore's chain ask Amazon's services, or hold keys that expire.
_PLACES = frozenset({"env", "shared-credentials-file", "config-file"})


@dataclass(frozen=True, slots=True)
class HmacKey:
    """An HMAC key of Cloud Storage; `found_by` is botocore's word for the place."""

    access_id: str
    secret: str = field(repr=False)
    found_by: str


def find_hmac_key() -> HmacKey | None:
    """The HMAC key in the environment or in AWS's files; None where there is none. Asks nobody.

    Raises `Configuration` where AWS_PROFILE or a file cannot be used.
    """
    session = botocore.session.Session()
    try:
        chain: Any = session.get_component("credential_provider")
        for name in [provider.METHOD for provider in chain.providers if provider.METHOD not in _PLACES]:
            chain.remove(name)
        found = chain.load_credentials()
        if found is None or not str(found.access_key).startswith(GOOGLE):
            return None
        return HmacKey(found.access_key, found.secret_key, found.method)
    except BotoCoreError as error:
        raise Configuration(f"Cannot read AWS's settings for an HMAC key: {error}.", hint=SET_UP) from error


class Login:
    """The OAuth token of whoever is logged in to Google on this machine, kept fresh; for all threads of a process.

    `find` makes the credentials (google.auth.default where none is given); nothing is asked before the first token is.
    """

    def __init__(self, runtime: Runtime, find: Callable[[], tuple[Credentials, str]] | None = None) -> None:
        self._runtime = runtime
        self._find = find or find_login
        self._lock = runtime.lock()
        self._credentials: Credentials | None = None
        self._project = ""
        self._token = ""
        self._made_s = 0.0
        self._lasts_s = 0.0
        self._for_refusal = False

    def token(self) -> str:
        """A token that is good for some minutes yet. Raises `Denied` without a login, `Unavailable` without an answer."""
        with self._lock:
            if not self._token or self._runtime.elapsed() - self._made_s >= self._lasts_s:
                self._renew(for_refusal=False)
            return self._token

    def project(self) -> str:
        """The project that the login names; empty where it names none."""
        self.token()
        return self._project

    def account(self) -> str:
        """Whom the login is for, where google-auth knows; else empty. Asks for a token, since only then some do."""
        self.token()
        credentials: Any = self._credentials
        found = (getattr(credentials, name, None) for name in ("service_account_email", "account"))
        return next((one for one in found if isinstance(one, str) and "@" in one), "")

    def refused(self, token: str) -> bool:
        """After a 401: True where another token is there now, so that the same request may be sent again."""
        with self._lock:
            if token != self._token:
                return True
            if self._for_refusal and self._runtime.elapsed() - self._made_s < YOUNG_S:
                return False
            self._renew(for_refusal=True)
            return True

    def _renew(self, *, for_refusal: bool) -> None:
        if self._credentials is None:
            self._credentials, self._project = self._find()
        started_s = self._runtime.elapsed()
        _refresh(self._credentials)
        self._token = str(self._credentials.token)
        self._made_s = started_s
        self._lasts_s = max(0.0, _lasts_s(self._credentials, self._runtime.now()) - EARLY_S)
        self._for_refusal = for_refusal


def find_login() -> tuple[Credentials, str]:
    """Google's application default credentials and their project. Raises `Denied` where this machine has none."""
    try:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
    except ImportError:
        raise Denied(
            "No HMAC key for gs:// is set, and google-auth, which would use a login to Google, is not installed.",
            hint=SET_UP,
        ) from None
    try:
        with _quietly():
            credentials, project = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError:
        raise Denied(
            "No HMAC key for gs:// is set, and this machine is not logged in to Google.", hint=SET_UP
        ) from None
    return credentials, str(project or "")


@contextmanager
def _quietly() -> Iterator[None]:
    """Keeps from the log what google-auth tries in vain: that is told as one error, with what to do."""
    log = logging.getLogger("google.auth")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def login_installed() -> bool:
    """Whether google-auth is there, so that a login could be used."""
    from importlib.util import find_spec

    try:
        return find_spec("google.auth") is not None
    except ModuleNotFoundError:  # there is not even a package `google`
        return False


def _refresh(credentials: Credentials) -> None:
    import urllib3
    from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
    from google.auth.transport.urllib3 import Request

    patience = urllib3.Timeout(connect=5.0, read=15.0)
    ask = Request(urllib3.PoolManager(timeout=patience, retries=2))  # type: ignore[no-untyped-call]
    try:
        credentials.refresh(ask)  # type: ignore[no-untyped-call]
    except TransportError as error:
        raise Unavailable(f"Google did not give a token: {_flat(error)}.", hint="Check the network.") from error
    except RefreshError as error:
        if getattr(error, "retryable", False):
            raise Unavailable(f"Google put off giving a token: {_flat(error)}.", hint="Try again.") from error
        raise Denied(f"Google gives this login no token: {_flat(error)}.", hint=_LOG_IN_AGAIN) from error
    except GoogleAuthError as error:
        raise Denied(f"The login to Google cannot be used: {_flat(error)}.", hint=_LOG_IN_AGAIN) from error


def _lasts_s(credentials: Credentials, now: float) -> float:
    """How long the token is good from now on. Its end was reckoned with this machine's clock, and so is the rest."""
    if credentials.expiry is None:
        return 3600.0
    ends = credentials.expiry.replace(tzinfo=datetime.UTC).timestamp()
    return float(ends) - now


def _flat(error: Exception) -> str:
    """The error's first words on one line: google-auth adds the whole answer as a second argument."""
    said = " ".join(str(error.args[0] if error.args else error).split()).rstrip(".")
    return said[:200] or type(error).__name__
