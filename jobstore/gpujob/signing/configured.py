"""From settings to an `Identity`: reads the keys that they name.

Invariant: a setting that names a key which cannot be used is an error, never a key less.
"""

from __future__ import annotations

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
    folder = settings_.keys_folder()
    key = load_key(private_path(folder, settings.sign_with)) if settings.sign_with else None
    return Identity(
        key,
        trusted_keys(settings.trust_submitters, folder=folder, setting="trust_submitters"),
        trusted_keys(settings.trust_workers, folder=folder, setting="trust_workers"),
    )
