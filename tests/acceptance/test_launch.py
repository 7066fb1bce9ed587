"""`worker launch` with a stand-in for Google's command line that notes what it is asked and runs what it is given."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from localstack import servers
from localstack.programs import HOW, find
from localstack.servers import Server

from gpujob_cli import launching
from gpujob_cli.commands import worker_launch
from gpujob_cli.notebooks import filling
from gpujob_cli.wheels import Wheel
from tests.acceptance.command_line import GPUJOB, Person
from tests.leaks import ALLOWED
from tests.sizing import require_or_skip

NAME = "minio" if find("minio") is not None else "seaweedfs"  # the first is probed in a tenth of the time
STORE = "s3://gpujob/launched"

COLAB = """#!{python}
import json, pathlib, shutil, sys
place = pathlib.Path({place!r})
words = sys.argv[1:]
with (place / "asked").open("a") as asked:
    asked.write(json.dumps(words) + "\\n")
if words[0] in (place / "fails").read_text().split():
    sys.exit("colab says no")
if words[0] == "upload":
    shutil.copy2(words[3], place / "uploaded")
if words[0] == "exec":
    shutil.copy(words[words.index("-f") + 1], place / "notebook")
    print((place / "says").read_text())
    if "handing" in (place / "says").read_text():
        sys.exit(1)
"""


class Google:
    """A `colab` on the path of a person, which notes its arguments."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        self.program = place / "colab"
        self.program.write_text(COLAB.format(python=sys.executable, place=str(place)))
        self.program.chmod(0o755)
        self.say("left after 1 succeeded")
        self.fail("")

    def say(self, text: str) -> None:
        """What the notebook prints."""
        (self.place / "says").write_text(text)

    def fail(self, commands: str) -> None:
        """Commands that fail."""
        (self.place / "fails").write_text(commands)

    @property
    def asked(self) -> list[list[str]]:
        """The commands that were run."""
        noted = self.place / "asked"
        return [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []

    def form(self) -> str:
        """The first code cell of the notebook that was run."""
        notebook = json.loads((self.place / "notebook").read_text())
        return "".join(next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["source"])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require_or_skip(NAME, HOW[NAME], there=find(NAME) is not None)
    with servers.running(NAME) as server:
        environment = {**os.environ, **server.environment(STORE)}
        subprocess.run([GPUJOB, "init", "--json"], env=environment, stdout=subprocess.DEVNULL, check=True)
        yield server


@pytest.fixture
def google(tmp_path: Path) -> Google:
    return Google(tmp_path / ALLOWED)


@pytest.fixture
def person(server: Server, google: Google, tmp_path: Path) -> Person:
    """Somebody whose store is reached under a name that is not that of this machine's loopback."""
    person = Person(tmp_path / "person")
    person.env |= server.environment(STORE)
    person.env["PATH"] = f"{google.place}{os.pathsep}{person.env['PATH']}"
    person.env["AWS_ENDPOINT_URL_S3"] = server.endpoint.replace("127.0.0.1", "127.0.0.2.nip.test")
    return person


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch, server: Server, google: Google) -> None:
    """In this process: the store is where it is, and counts as reachable from elsewhere; the path has `colab`."""
    for name, value in server.environment(STORE).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{google.place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(filling, "only_here", lambda url: None)
    monkeypatch.setattr(worker_launch, "this_wheel", lambda: Wheel("gpujob-0.1.0-py3-none-any.whl", b"a wheel"))


def launch(*args: str) -> int:
    from gpujob_cli.app import run

    return run(["worker", "launch", *args])


@pytest.mark.usefixtures("reachable")
def test_it_rents_sends_runs_and_gives_back(google: Google, server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert launch("--yes", "--max-lifetime", "2h", "--extra", "tts,image") == 0
    answered = capfd.readouterr()
    name = answered.out.strip()
    new, upload, execute, stop = google.asked
    assert new == ["new", "-s", name, "--gpu", "T4"]
    assert upload[:3] == ["upload", "-s", name] and upload[4] == "content/gpujob-credentials.json"
    assert execute[:4] == ["exec", "-s", name, "-f"] and execute[5:] == ["--timeout", "10800"]
    assert stop == ["stop", "-s", name]
    sent = google.place / "uploaded"
    assert json.loads(sent.read_text())["AWS_SECRET_ACCESS_KEY"] == server.secret_key
    assert stat.S_IMODE(sent.stat().st_mode) == 0o600
    assert not Path(upload[3]).exists() and not Path(execute[4]).exists()
    for line in (f'WORKER_ID = "{name}"', 'EXTRAS = "tts,image"', 'MAX_LIFETIME = "2h"', f'STORE = "{STORE}"'):
        assert line in google.form()
    everything = json.dumps(google.asked) + (google.place / "notebook").read_text() + answered.out + answered.err
    assert server.secret_key not in everything and server.access_key not in everything
    assert "compute units" in answered.err


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize(
    ("fails", "said", "code", "last"),
    [
        ("", "handing the runtime back", 0, "stop"),
        ("exec", "", 3, "stop"),
        ("upload", "", 3, "stop"),
        ("new", "", 3, "new"),
        ("stop", "", 0, "stop"),
    ],
)
def test_whatever_happens_the_machine_is_given_back(
    google: Google, fails: str, said: str, code: int, last: str
) -> None:
    google.fail(fails)
    google.say(said)
    assert launch("--yes") == code
    assert google.asked[-1][0] == last


@pytest.mark.usefixtures("reachable")
def test_keys_are_sent_only_with_leave(google: Google, capfd: pytest.CaptureFixture[str]) -> None:
    assert launch() == 2
    assert "Say so with --yes" in capfd.readouterr().err
    assert google.asked == []


@pytest.mark.usefixtures("reachable")
def test_without_googles_command_line_the_steps_are_printed(
    google: Google, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    google.program.unlink()
    assert launch("--gpu", "none") == 0
    answered = capfd.readouterr()
    steps = [shlex.split(line) for line in answered.out.splitlines()]
    assert [words[:2] for words in steps] == [["colab", word] for word in ("new", "upload", "exec", "stop")]
    assert "--gpu" not in steps[0] and steps[2][5] == "worker.ipynb"
    assert "uv tool install google-colab-cli" in answered.err
    assert json.loads((tmp_path / "worker.ipynb").read_text())["nbformat"] == 4


def test_a_store_that_only_this_machine_reaches_is_refused(person: Person, google: Google, server: Server) -> None:
    done = person.run("worker", "launch", "--yes", AWS_ENDPOINT_URL_S3=server.endpoint)
    assert done.code == 3 and "is this very machine" in done.err
    done = person.run("worker", "launch", "--yes", "--store", "file:///jobs")
    assert done.code == 3 and "is a folder of this machine" in done.err
    assert google.asked == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--on", "kaggle"), "can be launched on colab"),
        (("--gpu", "T5"), "no such choice"),
        (("--max-lifetime", "soon"), "--max-lifetime"),
        (("--extra", "ttts"), "no extra 'ttts'"),
    ],
)
def test_what_makes_no_sense_is_refused(person: Person, args: tuple[str, ...], said: str) -> None:
    done = person.run("worker", "launch", *args)
    assert done.code == 2 and said in done.err


def test_interrupts_are_counted_and_the_third_ends_it() -> None:
    press = "import os, threading; os.kill(os.getppid(), 2); threading.Event().wait(60)"
    counted: list[int] = []

    def press_again(count: int) -> None:
        counted.append(count)
        os.kill(os.getpid(), 2)

    assert launching.watch([sys.executable, "-c", press], press_again) is False
    assert counted == [1, 2]


def test_a_ctrl_c_is_told_to_the_worker_through_the_bucket() -> None:
    from tests.unit.cli.queues import MemorySession

    session = MemorySession()
    session.live("echo")
    found = session.store.workers()[0][0]
    rented = launching.Session(found.id.rsplit("-", 1)[0], "T4", 60.0)
    worker_launch._tell(session, rented, 1)
    assert session.store.workers()[0][0].control == "drain"
    worker_launch._tell(session, rented, 2)
    assert session.store.workers()[0][0].control == "stop"
    assert "told w-1 to stop" in session.said()
    worker_launch._tell(session, launching.Session("nobody", "", 60.0), 1)
    assert "not there yet" in session.said()
