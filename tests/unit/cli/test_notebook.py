"""The worker's notebook as a document: valid, the same each time, and filled in with places but never with people."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import pytest

from gpujob import MemoryBucket, keys
from gpujob.errors import Configuration, InvalidSpec, PreconditionFailed, UnsafeName
from gpujob.signing.identity import NOBODY, Identity
from gpujob.signing.private import new_key
from gpujob_cli.notebooks import filling
from gpujob_cli.notebooks.building import as_notebook, filled, worker_notebook
from gpujob_cli.wheels import Wheel

ROOT = Path(__file__).resolve().parents[3]
WHEEL = Wheel("gpujob-0.1.0-py3-none-any.whl", b"the wheel")


def code(text: str) -> list[str]:
    return [cell.source for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"]


def form(text: str) -> dict[str, object]:
    """The fields of the form and their values."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(code(text)[0]).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def test_it_is_a_notebook_whose_cells_are_python() -> None:
    text = worker_notebook()
    nbformat.validate(json.loads(text))
    cells = code(text)
    assert 4 <= len(cells) <= 7, "it is short"
    for source in cells:
        ast.parse(source)
        assert source.startswith("# @title")


def test_the_one_in_git_is_what_the_script_builds() -> None:
    written = (ROOT / "colab" / "worker.ipynb").read_text(encoding="utf-8")
    assert written == worker_notebook(), "run .venv/bin/python colab/build_notebook.py"


def test_it_says_what_free_colab_forbids() -> None:
    assert (
        "may\nnot run distributed computing workers" in nbformat.reads(worker_notebook(), as_version=4).cells[0].source
    )


def test_values_go_into_their_fields_and_nowhere_else() -> None:
    values = {"STORE": 's3://a/b "c" \\1', "HAND_BACK": False}
    before, after = form(worker_notebook()), form(worker_notebook(values))
    assert after == before | values
    assert [*map(str, code(worker_notebook(values))[1:])] == code(worker_notebook())[1:]


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="no field NOPE"):
        filled('STORE = ""  # @param {type:"string"}\n', {"NOPE": "x"})


def test_cells_are_parted_at_their_marks() -> None:
    text = '# %% [markdown]\n"""\n# Title\n"""\n\n# %%\nx = 1\n\n# %%\ny = 2\n'
    notebook = nbformat.reads(as_notebook(text), as_version=4)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        ("markdown", "# Title"),
        ("code", "x = 1"),
        ("code", "y = 2"),
    ]


def test_it_names_the_place_and_never_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://someone:hidden-word@127.0.0.1:9000")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-test-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-OF-SOMEONE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-secret")
    text = filling.notebook_for("s3://jobs/gpu", WHEEL, {"EXTRAS": ""})
    for hidden in ("someone", "hidden-word", "AKIA-OF-SOMEONE", "hidden-secret"):
        assert hidden not in text
    found = form(text)
    assert (found["STORE"], found["ENDPOINT"], found["REGION"]) == (
        "s3://jobs/gpu",
        "http://127.0.0.1:9000",
        "eu-test-1",
    )
    assert found["WHEEL"] == f"dist/{WHEEL.sha256}/{WHEEL.file_name}"
    reason = filling.only_here("s3://jobs/gpu")
    assert reason is not None and "127.0.0.1" in reason


def test_it_names_whose_jobs_it_runs_by_public_keys_alone() -> None:
    alice, bob, gpu1 = new_key(), new_key(), new_key()
    party = Identity(alice, submitters=(bob.public,), workers=(gpu1.public,))
    text = filling.notebook_for("file:///jobs", WHEEL, filling.trusted(party))
    assert form(text)["TRUST_SUBMITTERS"] == f"{alice.public.text},{bob.public.text}"
    assert form(text)["TRUST_WORKERS"] == gpu1.public.text, "without it, it would use no cached step"
    assert "PRIVATE" not in text
    assert form(filling.notebook_for("file:///jobs", WHEEL, filling.trusted(NOBODY)))["TRUST_SUBMITTERS"] == ""


def test_amazons_own_endpoint_needs_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert filling.place("s3://jobs/gpu") == ("", "eu-central-1")
    assert filling.only_here("s3://jobs/gpu") is None
    assert filling.place("file:///jobs") == ("", "")
    with pytest.raises(Configuration, match="ends with its process"):
        filling.place("memory://jobs")


def test_google_has_no_region_and_only_another_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert filling.place("gs://jobs/gpu") == ("", "")
    assert filling.only_here("gs://jobs/gpu") is None
    monkeypatch.setenv("GPUJOB_GCS_ENDPOINT", "https://storage.europe-west3.rep.googleapis.com/")
    assert filling.place("gs://jobs/gpu") == ("https://storage.europe-west3.rep.googleapis.com", "")


def test_a_wheel_is_brought_once() -> None:
    bucket = MemoryBucket()
    assert filling.bring(bucket, WHEEL)
    assert not filling.bring(bucket, WHEEL)
    found = bucket.get(filling.key_of(WHEEL))
    assert found is not None and found.body == WHEEL.body
    with pytest.raises(PreconditionFailed):
        bucket.create(filling.key_of(WHEEL), b"")


def test_extras_are_those_that_there_are() -> None:
    assert filling.known_extras(" tts, image,") == "tts,image"
    assert filling.known_extras("") == ""
    with pytest.raises(InvalidSpec, match="no extra 'ttts'"):
        filling.known_extras("tts,ttts")


@pytest.mark.parametrize(
    ("sha256", "name"), [("0" * 63, "a.whl"), ("0" * 64, "../a.whl"), ("0" * 64, "a.zip"), ("0" * 64, "")]
)
def test_only_a_wheel_under_its_sha256_has_a_key(sha256: str, name: str) -> None:
    with pytest.raises(UnsafeName):
        keys.wheel(sha256, name)
