"""From settings to an `Identity`: reads the keys that they name.

Invariant: a setting that names a key which cannot be used is an error, never a key less.
"""

from __future__ import annotations

from pathlib import Path

from gpujob import settings as settings_
from gpujob.signing.folder import private_path
from gpujob.signing.identity import NOBODY, Identity
from gpujob.signing.private import load_key, require_library
from gpujob.signing.public import trusted_keys


def identity_of(settings: settings_.Settings) -> Identity:
    """Who these settings say that we are, and whom they trust. Raises Configuration."""
    if not (settings.sign_with or settings.trust_submitters or settings.trust_workers):
        return NOBODY
    require_library()
    folder, path = settings_.keys_folder(), signing_path(settings)
    return Identity(
        None if path is None else load_key(path),
        trusted_keys(settings.trust_submitters, folder=folder, setting="trust_submitters"),
        trusted_keys(settings.trust_workers, folder=folder, setting="trust_workers"),
    )


def signing_path(settings: settings_.Settings) -> Path | None:
    """The file of the private key that these settings sign with, whether it is there or not; None where they do not."""
    return private_path(settings_.keys_folder(), settings.sign_with) if settings.sign_with else None
