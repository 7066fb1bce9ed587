"""The imitation's side of OAuth: it gives a token for a service account's signed assertion, and knows when it ends.

Source: https://developers.google.com/identity/protocols/oauth2/service-account
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

from tests.google import TOKEN
from tests.google.requests import Answer, Asked, Refused

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"  # google-auth names it wherever the token address is
ACCOUNT = "worker@imitation.iam.gserviceaccount.com"


class Tokens:
    """Tokens by their ends. `lasts_s` is how long the next one is good."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._serial = itertools.count(1)
        self._ends: dict[str, float] = {}
        self._public: bytes | None = None
        self.lasts_s = 3600.0
        self.given = 0

    def give(self, asked: Asked) -> Answer:
        """The answer of the token address."""
        from google.auth import exceptions, jwt

        form = parse_qs(asked.body.decode())
        try:
            claims = jwt.decode(form["assertion"][0], certs=self._public, audience=AUDIENCE)  # type: ignore[no-untyped-call]
        except (KeyError, ValueError, exceptions.GoogleAuthError) as error:
            return Answer(400, body=json.dumps({"error": "invalid_grant", "error_description": str(error)}).encode())
        if form["grant_type"] != [GRANT] or claims["iss"] != ACCOUNT or "devstorage" not in claims["scope"]:
            return Answer(400, body=b'{"error": "invalid_grant", "error_description": "not this account"}')
        token = {"access_token": self.fresh(), "expires_in": int(self.lasts_s), "token_type": "Bearer"}
        return Answer(headers={"Content-Type": "application/json"}, body=json.dumps(token).encode())

    def fresh(self) -> str:
        with self._lock:
            self.given += 1
            token = f"{TOKEN}{next(self._serial)}"
            self._ends[token] = self._now() + self.lasts_s
            return token

    def revoke_all(self) -> None:
        with self._lock:
            self._ends.clear()

    def check(self, asked: Asked) -> None:
        """Raises Refused unless the request carries a token that has not ended."""
        token = asked.headers["authorization"].removeprefix("Bearer ")
        with self._lock:
            good = self._now() < self._ends.get(token, 0.0)
        if not good:
            raise Refused(401, "AuthenticationRequired", "Authentication required.")

    def write_account(self, path: Path, token_address: str) -> Path:
        """A service account's file, as GOOGLE_APPLICATION_CREDENTIALS names one; its key is made for this run."""
        from cryptography.hazmat.primitives import serialization as forms
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
        self._public = key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
        path.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "imitation",
                    "private_key_id": "1",
                    "private_key": private.decode(),
                    "client_email": ACCOUNT,
                    "client_id": "1",
                    "token_uri": token_address,
                }
            )
        )
        return path
