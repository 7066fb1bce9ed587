"""The worker's notebook, run headless from its first cell to its last: as on Colab, and as on any Jupyter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from localstack import servers
from localstack.programs import HOW, find
from localstack.servers import Server
from localstack.users import USERS, as_environment, seaweedfs_identities
from nbclient.exceptions import CellExecutionError

from gpujob import models, open_store
from tests.acceptance.command_line import Person
from tests.acceptance.notebooks import Machine, make_environment, opened, printed
from tests.sizing import only_at_full_size, require_or_skip

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("notebook")]

(WORKER,) = [user for user in USERS if user.role == "worker"]
STORE = "s3://gpujob"


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    only_at_full_size("the notebook from its first cell to its last, in an environment of its own")
    return make_environment(tmp_path_factory.mktemp("kernel") / "venv")


@pytest.fixture
def server() -> Iterator[Server]:
    require_or_skip("seaweedfs", HOW["seaweedfs"], there=find("seaweedfs") is not None)
    server = servers.start("seaweedfs", seaweedfs_identities())
    yield server
    server.stop()


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path / "person")


def test_on_colab_it_speaks_for_a_queue_and_hands_the_runtime_back(
    venv: Path, server: Server, person: Person, tmp_path: Path
) -> None:
    require_or_skip("kokoro", "gpujob models pull kokoro", there=bool(models.installed()))
    person.env |= server.environment(STORE)
    assert person.run("init").code == 0
    spec = {"kind": "tts.narrate", "input": {"steps": [{"id": "one", "narration": "Hello from a notebook."}]}}
    job_id = person.run("submit", person.write("job.json", spec)).lines[0]
    written = person.run("worker", "notebook", "--json")
    assert written.code == 0, written.err
    (facts,) = written.objects

    colab = Machine(venv, tmp_path / "colab", secrets=as_environment(WORKER))
    notebook = opened(person.work / "worker.ipynb", IDLE_EXIT="3s")
    colab.run(colab.client(notebook))

    shown = json.loads(person.run("show", job_id, "--json").out)
    assert shown["state"] == "succeeded", printed(notebook)
    assert shown["worker"]["id"].startswith("colab-")
    got = person.run("get", job_id, "-o", "out")
    assert got.code == 0 and (person.work / "out" / "audio" / "step-one.wav").stat().st_size > 20_000
    assert colab.handed_back.read_text() == "handed back"
    said = printed(notebook)
    print(said)
    for sentence in ("credentials from Colab's secrets", facts["sha256"][:12], f"succeeded {job_id}", "left after 1"):
        assert sentence in said
    everything = json.dumps(notebook)
    for user in (*USERS, server):
        assert user.secret_key not in everything and user.access_key not in everything


def test_the_stop_button_drains_the_worker_and_the_cell_ends_well(venv: Path, person: Person, tmp_path: Path) -> None:
    jupyter, notebook, url = on_a_folder(venv, person, tmp_path, EXTRAS="", KINDS="echo", IDLE_EXIT="5m")
    store = open_store(url)
    job_id = store.submit({"kind": "echo", "input": {"message": "hello", "sleep": 3}}).id
    heard: list[str] = []

    async def press(cell: Any, cell_index: int) -> None:
        """The stop button of the last cell, as soon as its worker has the job."""
        if "Serve" not in cell.source.splitlines()[0]:
            return
        stop = asyncio.create_task(_press_when(client, cell, "claimed"))
        heard.append(stop.get_name())
        background.add(stop)

    background: set[asyncio.Task[None]] = set()
    client = jupyter.client(notebook, on_cell_execute=press)
    jupyter.run(client)
    assert heard, "the button was never pressed"
    said = printed(notebook)
    assert "draining" in said and "left after 1 succeeded" in said
    result = store.result(job_id)
    assert result is not None and result.state == "succeeded"
    assert not jupyter.handed_back.exists(), "nothing to hand back on a machine of one's own"


async def _press_when(client: Any, cell: Any, said: str) -> None:
    while said not in "".join(output.get("text", "") for output in cell.outputs):
        await asyncio.sleep(0.1)
    await client.km.interrupt_kernel()


def test_kaggle_is_not_taken_for_colab_although_it_has_its_modules(venv: Path, person: Person, tmp_path: Path) -> None:
    kaggle, notebook, url = on_a_folder(venv, person, tmp_path, kaggle=True, EXTRAS=" ", KINDS="echo", IDLE_EXIT="1s")
    job_id = open_store(url).submit({"kind": "echo", "input": {"message": "hello"}}).id
    kaggle.run(kaggle.client(notebook))
    result = open_store(url).result(job_id)
    assert result is not None and not result.worker["id"].startswith("colab"), printed(notebook)
    assert not kaggle.handed_back.exists()


def test_a_wheel_that_is_not_the_named_one_is_not_installed(venv: Path, person: Person, tmp_path: Path) -> None:
    jupyter, notebook, url = on_a_folder(venv, person, tmp_path)
    (wheel,) = Path(url.removeprefix("file://")).glob("dist/*/*.whl@")
    wheel.write_bytes(wheel.read_bytes() + b"and something of mine")
    with pytest.raises(CellExecutionError, match="is not the file that this notebook names"):
        jupyter.run(jupyter.client(notebook))


def on_a_folder(
    venv: Path, person: Person, place: Path, *, kaggle: bool = False, **values: str
) -> tuple[Machine, Any, str]:
    """A notebook on a Jupyter without secrets, for a queue in a folder."""
    url = (place / "store").as_uri()
    written = person.run("worker", "notebook", "--store", url)
    assert written.code == 0, written.err
    return Machine(venv, place / "jupyter", kaggle=kaggle), opened(person.work / "worker.ipynb", **values), url
