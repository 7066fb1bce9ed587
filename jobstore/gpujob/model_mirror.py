"""Model files in the queue's bucket, so that a fresh machine loads them from there instead of the internet.

Kept by sha256, and verified by it on the way back. Invariant: nothing here is needed: whatever fails costs the way to
the model's own source, never a job.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from urllib.parse import urlsplit

from gpujob import keys, models
from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import endpoint_of
from gpujob.errors import GpujobError
from gpujob.fetching import Wanted, fetch
from gpujob.models.catalogue import ModelFile
from gpujob.models.install import LOCK_NAME, missing
from gpujob.models.locking import file_lock
from gpujob.protocol.writes import create

log = logging.getLogger("gpujob")

CHARGING = ("amazonaws.com", "googleapis.com", "backblazeb2.com", "digitaloceanspaces.com", "linodeobjects.com")
"""Hosts whose owners charge for what leaves them; those of Cloudflare R2 and of one's own servers do not."""


def wanted(bucket: Bucket, setting: bool | None) -> bool:
    """Whether a bucket keeps models: as the setting says, else where it is worth while."""
    return worth_while(bucket) if setting is None else setting


def worth_while(bucket: Bucket) -> bool:
    """Whether a bucket is a good place for models when nobody says: a server, and not one that charges for reading."""
    host = urlsplit(endpoint_of(bucket)).hostname or ""
    return bool(host) and not host.endswith(CHARGING)


def restore(bucket: Bucket, name: str, *, root: Path | None = None) -> bool:
    """Fetches a model that is not on this disk from the bucket; False where it is not all there, or cannot be read."""
    model = models.describe(name)
    folder = (root or models.default_root()) / model.folder
    files = [
        Wanted(file.name, keys.model_file(file.sha256), file.size_bytes, file.sha256) for file in missing(model, folder)
    ]
    try:
        if not files or any(bucket.head(one.key) is None for one in files):
            return False
        with file_lock(folder / LOCK_NAME):
            fetch(bucket, files, folder)
    except GpujobError as error:
        log.warning("the model %s was not taken from the bucket: %s", name, error)
        return False
    return True


def keep(bucket: Bucket, name: str, *, root: Path | None = None) -> int:
    """Puts the files of a model on this disk into the bucket, where they are not there yet; returns the bytes sent."""
    model = models.describe(name)
    if not models.is_installed(name, root):
        return 0
    folder = (root or models.default_root()) / model.folder
    return sum(_keep(bucket, file, folder / file.name) for file in model.files)


def _keep(bucket: Bucket, file: ModelFile, path: Path) -> int:
    """Puts one file if absent; returns the bytes sent. One that is no longer what its name says stays where it is."""
    key = keys.model_file(file.sha256)
    try:
        if bucket.head(key) is not None:
            return 0
        body = path.read_bytes()
        if hashlib.sha256(body).hexdigest() != file.sha256:
            log.warning("%s is damaged, and was not kept in the bucket", path)
            return 0
        return len(body) if create(bucket, key, body).outcome == "won" else 0
    except (GpujobError, OSError) as error:
        log.warning("%s was not kept in the bucket: %s", file.name, error)
        return 0
