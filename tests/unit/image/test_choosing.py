"""Which model a job gets, and what it may make a worker fetch."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob.errors import JobFailed
from gpujob_worker.image.choosing import DEFAULT_MODEL, Choice, Own, choose, may_fetch, refused


@pytest.mark.parametrize(
    ("wanted", "own", "expected"),
    [
        ({}, Own(), Choice(DEFAULT_MODEL)),
        ({"revision": "v2"}, Own(), Choice(DEFAULT_MODEL, "v2")),
        ({"model": "owner/name", "revision": "v2"}, Own("owner/mine"), Choice("owner/name", "v2")),
        ({}, Own("owner/mine"), Choice("owner/mine")),
        ({}, Own("runwayml/stable-diffusion-v1-5"), Choice(DEFAULT_MODEL)),
        ({}, Own("models/sd/v1"), Choice("v1", folder=Path("models/sd/v1"))),
        ({}, Own("./sd"), Choice("sd", folder=Path("sd"))),
    ],
)
def test_the_job_chooses_then_the_worker(wanted: dict[str, str], own: Own, expected: Choice) -> None:
    assert choose(wanted, own) == expected


def test_a_job_never_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one of the name of a model, in the folder where the worker runs."""
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert choose({"model": "owner/name"}, Own()).folder is None
    assert choose({}, Own("owner/name")).folder == Path("owner/name")


def test_a_folder_has_no_revisions() -> None:
    with pytest.raises(JobFailed, match="no revision v2") as failure:
        choose({"revision": "v2"}, Own("./sd"))
    assert (failure.value.type, failure.value.retryable) == ("model_not_found", False)


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [
        (DEFAULT_MODEL, Own(), True),
        (DEFAULT_MODEL, Own("owner/mine"), True),
        ("owner/mine", Own("owner/mine"), True),
        ("owner/other", Own("owner/mine"), False),
        ("owner/other", Own(allowed=("owner/*",)), True),
        ("Owner/other", Own(allowed=("owner/*",)), False),
        ("owners/other", Own(allowed=("owner/*",)), False),
        ("any/thing", Own(allowed=("*",)), True),
    ],
)
def test_what_may_be_fetched(name: str, own: Own, expected: bool) -> None:
    assert may_fetch(name, own) is expected


def test_a_refusal_names_the_setting() -> None:
    error = refused(Choice("owner/name", "v2"))
    assert (error.type, error.retryable) == ("model_not_found", False)
    assert "owner/name in revision v2" in error.message
    assert "GPUJOB_ALLOW_MODELS=owner/name" in (error.hint or "")
