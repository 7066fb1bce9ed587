"""A fresh machine that no model source of the internet answers takes the speech model out of the queue's bucket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpujob import model_mirror, models, open_store
from tests.acceptance.command_line import Person
from tests.sizing import require_or_skip

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens there


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Somebody with an empty cache, no way to the internet, and a queue whose bucket keeps the model."""
    require_or_skip("kokoro", "gpujob models pull kokoro", there=models.is_installed("kokoro"))
    person = Person(tmp_path)
    person.env |= {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "PIP_INDEX_URL": NOWHERE}
    person.env |= {"npm_config_registry": NOWHERE, "PIP_RETRIES": "0", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert model_mirror.keep(open_store(person.store).bucket, "kokoro") > 0
    return person


def test_a_worker_speaks_with_a_model_out_of_the_bucket(person: Person) -> None:
    spec = {"kind": "tts.narrate", "input": {"steps": [{"id": "one", "narration": "Out of the bucket."}]}}
    job_id = person.run("submit", person.write("job.json", spec)).lines[0]
    worked = person.run("worker", "run", "--kinds", "tts.narrate", "--once", "--model-cache")
    assert worked.code == 0 and "took the model kokoro from the bucket" in worked.err, worked.err
    assert json.loads(person.run("show", job_id, "--json").out)["state"] == "succeeded"


def test_models_pull_looks_into_the_bucket_first(person: Person) -> None:
    pulled = person.run("models", "pull", "kokoro", GPUJOB_MODEL_CACHE="true")
    assert pulled.code == 0 and f"kokoro came from {person.store}" in pulled.err, pulled.err
    assert person.run("models", "ls", "-q").lines == ["kokoro"]


def test_models_pull_leaves_a_bucket_alone_that_keeps_none(person: Person) -> None:
    pulled = person.run("models", "pull", "kokoro")
    assert pulled.code != 0 and "came from" not in pulled.err
