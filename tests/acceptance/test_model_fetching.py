"""The real huggingface_hub fetches a model from an imitation of the hub: what comes, with whose token, and what is told."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sizing import require_or_skip

from .hub import COMMIT, TOKEN, Hub, running

PATIENCE_S = 100.0  # a heavy import

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "scheduler": ["diffusers", "PNDMScheduler"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "safety_checker": [None, None],
}
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
FILES = {
    "model_index.json": json.dumps(INDEX).encode(),
    "README.md": b"a model",
    "checkpoint.safetensors": b"c" * 5_000,
    "scheduler/scheduler_config.json": b'{"part": "scheduler"}',
    "unet/config.json": b'{"part": "unet"}',
    WEIGHTS: b"w" * 200_000,
    "unet/diffusion_pytorch_model.fp16.safetensors": b"h" * 100_000,
    "unet/diffusion_pytorch_model.bin": b"b" * 200_000,
}
NEEDED = {"model_index.json", "scheduler/scheduler_config.json", "unet/config.json", WEIGHTS}
PICKLED = {name: data for name, data in FILES.items() if not name.endswith(".safetensors")}

# In a process of its own, since the hub's address is read when its library is imported.
CLIENT = """
import json, sys
from gpujob.errors import GpujobError, JobCancelled
from gpujob_worker.image import fetching
from gpujob_worker.image.choosing import Choice
name, revision, token, stop = json.loads(sys.argv[1])
reports = []
def report(done, total, message):
    reports.append([done, total, message])
    if stop and total > 1:
        input()  # until the hub has stalled
        raise JobCancelled("stop")
choice = Choice(name, revision)
answer = {"reports": reports}
try:
    folder = fetching.cached(choice)
    answer["was_here"] = folder is not None
    folder = folder or fetching.fetch(choice, report, token=token, half=False)
    answer["files"] = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    answer["folder"] = folder.name
    answer["here_now"] = fetching.cached(choice) == folder
except GpujobError as error:
    answer |= {"error": type(error).__name__, "message": error.message, "hint": error.hint}
print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    require_or_skip(
        "diffusers", ".venv/bin/pip install huggingface_hub", there=bool(importlib.util.find_spec("huggingface_hub"))
    )
    with running(Hub({"acme/tiny": dict(FILES), "acme/pickled": dict(PICKLED)})) as hub:
        yield hub


class Client:
    """A worker's machine: the hub's cache in a folder, and somebody's own token lying about in the environment."""

    def __init__(self, home: Path, hub: Hub) -> None:
        self.env = {**os.environ, "HF_HOME": str(home), "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_the_workers_own"}

    def start(self, name: str, revision: str | None, token: str | None, *, stop: bool) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", CLIENT, json.dumps([name, revision, token, stop])]
        return subprocess.Popen(arguments, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def fetch(self, name: str, revision: str | None = None, token: str | None = None) -> dict[str, Any]:
        process = self.start(name, revision, token, stop=False)
        out, _ = process.communicate(timeout=PATIENCE_S)
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        return answer


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    return Client(tmp_path / "hf", hub)


def test_what_is_needed_comes_once_and_nothing_else(hub: Hub, client: Client) -> None:
    first = client.fetch("acme/tiny")
    assert first == {
        "reports": first["reports"], "was_here": False, "files": sorted(NEEDED), "folder": COMMIT, "here_now": True,
    }  # fmt: skip
    assert sorted(hub.sent()) == sorted(NEEDED)
    hub.asked.clear()
    second = client.fetch("acme/tiny")
    assert second["was_here"] and second["files"] == sorted(NEEDED)
    assert hub.asked == []


def test_no_token_of_the_workers_own_is_ever_sent(hub: Hub, client: Client) -> None:
    client.fetch("acme/tiny")
    assert {token for _, token in hub.asked} == {None}


def test_a_private_model_comes_with_the_jobs_token_only(hub: Hub, client: Client) -> None:
    hub.private.add("acme/tiny")
    refused = client.fetch("acme/tiny")
    assert refused["error"] == "NeedsToken" and "acme/tiny" in refused["message"]
    assert "secrets: [HF_TOKEN]" in refused["hint"]
    given = client.fetch("acme/tiny", token=TOKEN)
    assert given["files"] == sorted(NEEDED)
    assert {token for _, token in hub.asked} == {None, TOKEN}


@pytest.mark.parametrize(
    ("name", "revision", "token", "error", "message"),
    [
        ("acme/none", None, None, "NeedsToken", "no model acme/none, or does not give it"),
        ("acme/none", None, TOKEN, "JobFailed", "no model of diffusers called acme/none"),
        ("acme/tiny", "v9", None, "JobFailed", "acme/tiny has no revision v9"),
        ("acme/pickled", None, None, "JobFailed", "weights of unet are not saved as safetensors"),
    ],
)
def test_what_there_is_not_is_told_by_name(
    client: Client, name: str, revision: str | None, token: str | None, error: str, message: str
) -> None:
    answer = client.fetch(name, revision, token)
    assert answer["error"] == error and message in answer["message"], answer


def test_a_hub_that_is_out_of_reach_is_told(client: Client) -> None:
    client.env["HF_HUB_OFFLINE"] = "1"  # as without a network, but for the half minute of trying again
    answer = client.fetch("acme/tiny")
    assert answer["error"] == "JobFailed" and "cannot be fetched" in answer["message"]
    assert "reachable" in answer["hint"]


def test_a_fetch_reports_how_far_it_is_and_stops_when_it_is_told(hub: Hub, client: Client) -> None:
    hub.stalling = WEIGHTS
    process = client.start("acme/tiny", None, None, stop=True)
    assert process.stdin is not None and process.stdout is not None
    assert hub.stalled.wait(PATIENCE_S)
    process.stdin.write("\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())  # it answers while the hub still holds half the file back
    assert answer["error"] == "JobCancelled"
    total = sum(len(FILES[name]) for name in NEEDED)
    done, of, message = answer["reports"][-1]
    assert (of, message) == (total, "fetching acme/tiny (0.0 GB)") and 0 <= done < total
    hub.stalling = ""
    hub.go_on.set()
    process.communicate(timeout=PATIENCE_S)
    assert client.fetch("acme/tiny")["files"] == sorted(NEEDED)
