"""The servers of the tests and of `make up`: they end when they should, and come up again as they were."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from localstack import programs, servers
from localstack.programs import HOW, Missing, find

from gpujob.buckets.opening import open_bucket
from tests.leaks import ALLOWED
from tests.servers import NAMES
from tests.sizing import only_at_full_size, require_or_skip

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import sys
from localstack import servers
server = servers.start(sys.argv[1])
print(server.pid, server._watch.pid, server.folder, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_server_ends_with_its_owner_however_that_ends(name: str) -> None:
    require_or_skip(name, HOW[name], there=find(name) is not None and hasattr(os, "pidfd_open"))
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, name], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    server, watch, folder = owner.stdout.readline().split()
    handles = [os.pidfd_open(int(server)), os.pidfd_open(int(watch))]
    assert Path(folder).is_dir()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    for handle in handles:
        assert select.select([handle], [], [], 20)[0], "it still runs"
        os.close(handle)
    assert not Path(folder).exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_was_killed_comes_back_at_once_with_what_it_held(name: str) -> None:
    require_or_skip(name, HOW[name], there=find(name) is not None)
    with servers.running(name) as server:
        server.client().put_object(Bucket=servers.BUCKET, Key="kept", Body=b"kept")
        for _ in range(3):
            server.stop(keep=True)
            with subprocess.Popen(["true"]) as gone:  # as where the system has already forgotten the killed one
                (server.folder / "pid").write_text(str(gone.pid))
            server.start()
            assert server.client().get_object(Bucket=servers.BUCKET, Key="kept")["Body"].read() == b"kept"


def test_the_port_of_a_server_is_none_that_is_lent_to_connections() -> None:
    lent = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(lent.read_text().split()[0]) if lent.exists() else 49_152
    assert servers.free_port() < lowest


def test_no_two_parts_of_a_server_are_given_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens yet when they are chosen, and SeaweedFS has eight ports."""
    monkeypatch.setattr(servers, "PORTS_TO_CHOOSE", range(30_000, 30_030))
    assert len({servers.free_port() for _ in range(20)}) == 20


def test_a_server_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "find", lambda _: Path("/bin/false"))
    monkeypatch.setattr(servers, "ATTEMPTS", 1)
    with pytest.raises(Missing, match="minio did not come up on http"):
        servers.start("minio")


def test_a_missing_program_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "find", lambda _: None)
    for name in NAMES:
        with pytest.raises(Missing, match=f"{name} is not on this machine: "):
            servers.start(name)


def test_minio_without_go_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GPUJOB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"Go 1\.24 or newer"):
        programs.build("minio")


def test_ollama_without_a_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("GPUJOB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"built with gcc and g\+\+ too"):
        programs.build("ollama")
    for compiler in ("gcc", "g++"):
        (tmp_path / compiler).symlink_to(go)
    with pytest.raises(Missing, match=r"go install github\.com/ollama/ollama@v"):
        programs.build("ollama")
    assert programs.find("ollama") is None


def test_a_machine_with_apt_gets_the_compilers_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    makes = f"for word in gcc g++; do : > {tmp_path}/$word; done; /bin/chmod 755 {tmp_path}/gcc {tmp_path}/g++"
    scripts = {
        "apt-get": f'echo "$*" >> {said}\ncase "$*" in *install*) {makes};; esac\n',
        "go": f': > "$GOBIN/ollama"; /bin/chmod 755 "$GOBIN/ollama"; echo built >> {said}\n',
    }
    (tmp_path / "bin" / "building-ollama").mkdir(parents=True)
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("GPUJOB_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.build("ollama") == tmp_path / "bin" / "ollama"
    assert said.read_text().splitlines() == [
        "--quiet update", "--quiet install --yes --no-install-recommends gcc g++ libc6-dev", "built",
    ]  # fmt: skip


def local(program: str, data: Path, store: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"localstack.{program}"],
        cwd=ROOT,
        env={**os.environ, "GPUJOB_LOCALSTACK_DATA": str(data), "STORE": store},
        capture_output=True,
        text=True,
        check=False,
    )


def obey(monkeypatch: pytest.MonkeyPatch, exports: str) -> None:
    for line in exports.splitlines():
        variable, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(variable, value)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", NAMES)
def test_up_and_down(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_or_skip(name, HOW[name], there=find(name) is not None)
    if name == "seaweedfs":
        only_at_full_size("`make up` and `make down` with a second server")
    other = NAMES[1 - NAMES.index(name)]
    tmp_path /= ALLOWED  # the variables of the narrow users are in files there
    tmp_path.mkdir()
    try:
        first = local("up", tmp_path, name)
        assert first.returncode == 0, first.stderr
        obey(monkeypatch, first.stdout)
        open_bucket(os.environ["GPUJOB_STORE"]).create("kept.json", b"kept")
        again = local("up", tmp_path)
        assert (again.returncode, again.stdout) == (0, first.stdout) and "running already" in again.stderr
        clash = local("up", tmp_path, other)
        assert (clash.returncode, clash.stdout) == (3, "") and "`make down` first" in clash.stderr
        assert local("down", tmp_path).returncode == 0
        obey(monkeypatch, local("up", tmp_path, name).stdout)
        found = open_bucket(os.environ["GPUJOB_STORE"]).get("kept.json")
        assert found is not None and found.body == b"kept"
    finally:
        stopped = local("down", tmp_path)
    assert f"{name} is stopped" in stopped.stderr
    assert "No local server is running" in local("down", tmp_path).stderr


def test_an_unknown_store_is_said(tmp_path: Path) -> None:
    done = local("up", tmp_path, "ceph")
    assert (done.returncode, done.stdout) == (2, "") and "minio or seaweedfs, not 'ceph'" in done.stderr


LEAK = """
from tests.servers import seaweedfs

def test_that_leaks(seaweedfs, tmp_path):
    (tmp_path / "log.txt").write_text(f"signed with {seaweedfs.secret_key}")
"""


def test_a_run_whose_tests_wrote_a_secret_down_fails_at_its_end(tmp_path: Path) -> None:
    only_at_full_size("a run of its own that leaks")
    require_or_skip("seaweedfs", HOW["seaweedfs"], there=find("seaweedfs") is not None)
    file = tmp_path / "test_leak.py"
    file.write_text(LEAK)
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--rootdir", str(tmp_path), str(file)]
    (tmp_path / ALLOWED).mkdir()
    run_in = [*pytest_, f"--basetemp={tmp_path / ALLOWED / 'run'}"]
    done = subprocess.run(
        run_in, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "a secret of the tests was written down" in done.stdout and "log.txt" in done.stdout
