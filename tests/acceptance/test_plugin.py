"""The plug-in of examples/plugin, installed as a user would: its kind is validated, submitted, and served in a child."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.processes import WorkerProcess

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "examples" / "plugin"

pytestmark = pytest.mark.timeout(400)  # pip fetches what it builds with


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the plug-in, without touching this environment."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(PLUGIN)]
    subprocess.run(pip, check=True, env={**os.environ, "PIP_RETRIES": "10"})
    return folder


def gpujob(site: Path, home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HOME": str(home), "PYTHONPATH": str(site), "GPUJOB_STORE": (home / "store").as_uri()}
    command = [str(Path(sys.executable).with_name("gpujob")), *args]
    return subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, check=False)


def test_it_is_validated_submitted_and_served(site: Path, tmp_path: Path) -> None:
    spec = tmp_path / "count.json"
    spec.write_text(json.dumps({"kind": "acme.count", "input": {"text": "a queue in a bucket"}}))
    submitted = gpujob(site, tmp_path, "submit", str(spec))
    assert submitted.returncode == 0, submitted.stderr
    store = (tmp_path / "store").as_uri()
    with WorkerProcess(store, tmp_path, "--kinds", "acme.count", "--once", env={"PYTHONPATH": str(site)}) as worker:
        worker.wait_for("succeeded")
        assert worker.end() == 0
    waited = gpujob(site, tmp_path, "wait", "-o", "out", "--json", submitted.stdout.strip())
    assert json.loads(waited.stdout)["output"] == {"words": 5}
    assert (tmp_path / "out" / "words.txt").read_text().split() == ["a", "queue", "in", "a", "bucket"]


def test_its_model_refuses_what_it_does_not_know(site: Path, tmp_path: Path) -> None:
    spec = tmp_path / "count.json"
    spec.write_text(json.dumps({"kind": "acme.count", "input": {"txt": "a queue"}}))
    refused = gpujob(site, tmp_path, "validate", str(spec))
    assert refused.returncode == 2
    assert 'did you mean "text"' in refused.stderr + refused.stdout


def test_without_it_the_kind_is_unknown(tmp_path: Path) -> None:
    spec = tmp_path / "count.json"
    spec.write_text(json.dumps({"kind": "acme.count", "input": {"text": "a"}}))
    refused = gpujob(tmp_path, tmp_path, "submit", str(spec))
    assert refused.returncode == 2
    assert "--allow-unknown-kind" in refused.stderr


def test_the_docs_show_this_very_code() -> None:
    code = (PLUGIN / "acme_jobs.py").read_text().partition("from __future__ import annotations\n\n")[2]
    assert code in (ROOT / "docs" / "writing-an-executor.md").read_text()
