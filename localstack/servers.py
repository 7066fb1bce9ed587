"""Real S3 servers on this machine, for the tests, the benchmarks and `make up`.

Invariant: a server that was started for a test does not outlive the process that started it, however that ends, and
leaves nothing behind: a small shell waits on a pipe that only its owner holds open, then ends the server and removes
its folder. A server counts as started when it has stored an object and given it back.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from localstack.programs import HOW, Missing, find

if TYPE_CHECKING:
    import boto3.session
    from mypy_boto3_s3 import S3Client

LOOPBACK = "127.0.0.1"
BUCKET = "gpujob"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
PORTS_TO_CHOOSE = range(16_384, 32_768)  # Linux, macOS and Windows lend higher ones to outgoing connections
ATTEMPTS = 3  # of starting a test server: a port that was free a moment ago may be taken

_WATCH = """
"$@" > "$GPUJOB_SERVER_LOG" 2>&1 & server=$!
echo "$server" > "$GPUJOB_SERVER_PID"
cat > /dev/null
kill -9 "$server" 2> /dev/null
wait
[ -z "$GPUJOB_SERVER_REMOVE" ] || rm -rf "$GPUJOB_SERVER_REMOVE"
"""


@dataclass
class Server:
    """An S3 server on loopback: what it is, where it is, and who may use it."""

    name: str
    program: Path
    folder: Path
    port: int
    access_key: str = "gpujob-root"
    secret_key: str = "gpujob-root-secret"
    region: str = "us-east-1"
    identities: list[dict[str, object]] = field(default_factory=list)
    _watch: subprocess.Popen[bytes] | None = None
    _session: boto3.session.Session | None = None

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://{LOOPBACK}:{self.port}"

    def environment(self, store: str = f"s3://{BUCKET}") -> dict[str, str]:
        """The variables that lead gpujob, and everything that uses botocore, to this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "GPUJOB_STORE": store,
        }

    def session(self) -> boto3.session.Session:
        """The boto3 session with the root credentials; the endpoint is given to each client."""
        import boto3.session

        if self._session is None:
            self._session = boto3.session.Session(self.access_key, self.secret_key, region_name=self.region)
        return self._session

    def client(self) -> S3Client:
        """A plain boto3 client, for setting up and for looking behind the code under test."""
        from botocore.config import Config

        settings = Config(
            request_checksum_calculation="when_required",
            connect_timeout=2,
            read_timeout=20,
            retries={"total_max_attempts": 1},
        )
        return self.session().client("s3", endpoint_url=self.endpoint, config=settings)

    @property
    def pid(self) -> int:
        """The server's own process."""
        return int(self._pid_file.read_text())

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    def start(self) -> None:
        """Starts the server under the eye of this process and returns when it really answers."""
        self._pid_file.unlink(missing_ok=True)  # the last one's is that of a dead process
        self._watch = subprocess.Popen(
            ["sh", "-c", _WATCH, "sh", *self.command()],
            stdin=subprocess.PIPE,
            env={**self.settings(), "GPUJOB_SERVER_REMOVE": str(self.folder)},
            start_new_session=True,  # Ctrl-C is for the tests, which then end the server
        )
        self.wait_until_ready(self._watch)

    def stop(self, *, keep: bool = False) -> None:
        """Ends the server at once. `keep` leaves its data, so that `start` can bring it back on the same port."""
        if self._watch is None:
            return
        if keep:
            os.kill(self._watch.pid, 9)  # the shell would remove the folder
            os.kill(self.pid, 9)
            self._wait_until_gone()
        elif self._watch.stdin:
            self._watch.stdin.close()
        self._watch.wait(STOP_TIMEOUT_S)
        self._watch = None

    def command(self) -> list[str]:
        """The command line that starts this server in the foreground."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        return [str(self.program), *_COMMANDS[self.name](self)]

    def settings(self) -> dict[str, str]:
        """The environment for the server's process."""
        own = {"MINIO_ROOT_USER": self.access_key, "MINIO_ROOT_PASSWORD": self.secret_key, "MINIO_BROWSER": "off"}
        files = {"GPUJOB_SERVER_LOG": str(self.folder / "log"), "GPUJOB_SERVER_PID": str(self._pid_file)}
        return {**_without_aws(), **own, **files, "HOME": str(self.folder)}

    def wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Returns when the server has stored an object and given it back; `Missing` if it never does."""
        deadline = time.monotonic() + START_TIMEOUT_S
        trouble = "it said nothing"
        while time.monotonic() < deadline and process.poll() is None and self._alive():
            try:
                return self.make_bucket(BUCKET)
            except Exception as error:  # noqa: BLE001  # whatever it is, the server is not ready yet
                trouble = f"{type(error).__name__}: {error}"
            time.sleep(0.05)
        log = (self.folder / "log").read_text(errors="replace")[-2000:] if (self.folder / "log").exists() else ""
        raise Missing(f"{self.name} did not come up on {self.endpoint}: {trouble}\n{log}")

    def _wait_until_gone(self) -> None:
        """Returns when nothing listens on the server's port any more; its process may stay as one that nobody reaps."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not is_free(self.port):
            assert time.monotonic() < deadline, f"{self.name} outlived a kill -9 by {STOP_TIMEOUT_S:g} s"
            time.sleep(0.01)

    def make_bucket(self, name: str) -> None:
        """Creates a bucket if it is missing, and makes sure that it holds what is put there."""
        client = self.client()
        if name not in {bucket.get("Name") for bucket in client.list_buckets().get("Buckets", ())}:
            client.create_bucket(Bucket=name)
        client.put_object(Bucket=name, Key="ready", Body=b"ready")
        assert client.get_object(Bucket=name, Key="ready")["Body"].read() == b"ready"
        client.delete_object(Bucket=name, Key="ready")

    def _alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except (FileNotFoundError, ValueError):
            return True  # the shell has not written it yet
        except ProcessLookupError:
            return False
        return True


def _minio(server: Server) -> list[str]:
    addresses = ["--address", f"{LOOPBACK}:{server.port}", "--console-address", f"{LOOPBACK}:{free_port()}"]
    return ["server", "--quiet", *addresses, str(server.folder / "data")]


def _seaweedfs(server: Server) -> list[str]:
    """All of SeaweedFS in one process; it needs a port for each of its parts, and twice that for gRPC."""
    root = {
        "name": "root",
        "credentials": [{"accessKey": server.access_key, "secretKey": server.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = server.folder / "s3.json"
    config.write_text(json.dumps({"identities": [root, *server.identities]}))
    ports = [f"-{part}.port={free_port()}" for part in ("master", "filer", "volume")]
    ports += [f"-{part}.port.grpc={free_port()}" for part in ("master", "filer", "volume", "s3")]
    sockets = [f"-{part}.localSocket={server.folder}/{part}.sock" for part in ("filer", "s3")]
    return [
        "mini",
        f"-dir={server.folder / 'data'}",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        f"-s3.port={server.port}",
        f"-s3.config={config}",
        *ports,
        f"-admin.port={_port_with_one_10000_above()}",
        *(sockets if len(str(server.folder)) < 80 else []),  # the path of a socket is short
        "-s3.autoCreateBucket=false",  # as every other store: a bucket that is missing is missing
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
    ]


_given: set[int] = set()
_COMMANDS: dict[str, Callable[[Server], list[str]]] = {"minio": _minio, "seaweedfs": _seaweedfs}


def make(name: str, folder: Path, *, port: int | None = None) -> Server:
    """A server that is not started yet; `Missing` where its program is not on this machine."""
    program = find(name)
    if program is None:
        raise Missing(f"{name} is not on this machine: {HOW[name]}")
    return Server(name, program, folder, port or free_port())


def start(name: str, identities: Sequence[dict[str, object]] = ()) -> Server:
    """A fresh server with its own empty folder, which ends with this process at the latest.

    `identities` are users that SeaweedFS knows beside its owner; MinIO's are made when it runs (see `users`).
    """
    for attempt in range(ATTEMPTS):
        server = make(name, Path(tempfile.mkdtemp(prefix=f"gpujob-{name}-")))
        server.identities = list(identities)
        try:
            server.start()
        except Missing:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)
            if attempt + 1 == ATTEMPTS:
                raise
        else:
            return server
    raise AssertionError("unreachable")


@contextmanager
def running(name: str) -> Iterator[Server]:
    """As `start`, and stopped at the end of the block."""
    server = start(name)
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that nothing listens on, below those that the system lends to outgoing connections; each is given once.

    One that is lent could be taken by somebody's connection while the server that owns it is down for a moment.
    """
    choose = random.SystemRandom().choice  # the seeds of tests are for their own numbers
    while (port := choose(PORTS_TO_CHOOSE)) in _given or not is_free(port):
        continue
    _given.add(port)
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen on that port at this moment."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections to who listened here may linger
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _port_with_one_10000_above() -> int:
    """A free port whose counterpart 10,000 above is free too: SeaweedFS's admin dials it whatever it is told."""
    while not is_free((port := free_port()) + 10_000):
        continue
    return port


def _without_aws() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MINIO_", "S3_", "WEED_"))
    }
