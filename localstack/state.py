"""Which local server runs in the background: one small file, so that `make up` and `make down` find it again.

Invariant: a process is ended only if it still is the server that was started, whatever has become of its number.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from localstack.servers import Server

DATA = Path(os.environ.get("GPUJOB_LOCALSTACK_DATA") or Path(__file__).resolve().parent / ".data")
STATE = DATA / "server.json"
STOP_TIMEOUT_S = 15.0


def save(server: Server) -> None:
    """Remembers a server that was started."""
    fields = {"name": server.name, "program": str(server.program), "folder": str(server.folder), "port": server.port}
    STATE.write_text(json.dumps(fields))


def load() -> Server | None:
    """The server that was started, or None."""
    try:
        fields = json.loads(STATE.read_text())
    except FileNotFoundError:
        return None
    return Server(fields["name"], Path(fields["program"]), Path(fields["folder"]), fields["port"])


def remove() -> None:
    """Forgets the server; its data stay."""
    STATE.unlink(missing_ok=True)


def alive(server: Server) -> bool:
    """Whether its process is there and is this server: its command line names its data folder."""
    try:
        pid = server.pid
    except (FileNotFoundError, ValueError):
        return False
    shown = subprocess.run(
        ["ps", "-ww", "-o", "stat=,args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return str(server.folder) in shown.stdout and not shown.stdout.startswith("Z")


def stop(server: Server) -> None:
    """Asks the server to end, and ends it after a while."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not alive(server):
            return
        os.kill(server.pid, number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while alive(server) and time.monotonic() < deadline:
            time.sleep(0.1)
