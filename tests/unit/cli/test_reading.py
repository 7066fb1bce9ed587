"""Specs whose files, or who themselves, are not there: what is said, and where it stands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpujob import InvalidSpec
from gpujob_cli.reading import changed, read_specs, require_files

SPEC = """{"kind": "echo", "input": {},
 "files": [
  {"name": "a", "source": "nope"},
  {"name": "b", "source": "folder"},
  {"name": "c", "source": "pipe"},
  {"name": "d", "source": "LONG"}]}""".replace("LONG", "x" * 300)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "spec.json").write_text(SPEC)


def test_a_spec_that_is_not_there_lost_its_own_hint_to_that_about_schemas() -> None:
    with pytest.raises(InvalidSpec, match=r"^there is no file nope.json$") as refused:
        read_specs(["nope.json"])
    assert refused.value.hint == "Give the path of a spec, or - for stdin."
    (problem,) = refused.value.problems
    assert (problem.file, problem.line, problem.message) == ("nope.json", 0, "there is no such file")


def test_among_others_it_is_a_problem_like_theirs() -> None:
    with pytest.raises(InvalidSpec, match="2 problems in the spec") as refused:
        read_specs(["nope.json", "folder", "spec.json"])
    assert [str(one) for one in refused.value.problems] == [
        "nope.json: there is no such file", "folder: unreadable: Is a directory",
    ]  # fmt: skip


def test_each_source_that_cannot_be_read_is_told_why_and_where_it_stands() -> None:
    specs = [changed(spec, {"priority": "high"}) for spec in read_specs(["spec.json"])]
    with pytest.raises(InvalidSpec) as refused:
        require_files(specs)
    found = [(one.line, one.column, one.path, one.message[-25:]) for one in refused.value.problems]
    assert found == [
        (3, 27, "files[0].source", "there is no file nope"),
        (4, 27, "files[1].source", "folder is not a file"),
        (5, 27, "files[2].source", "pipe is not a file"),
        (6, 27, "files[3].source", "cannot be read: File name too long"[-25:]),
    ]


def test_where_a_spec_stands_makes_no_other_spec_of_it() -> None:
    assert read_specs(["spec.json"]) == read_specs(["spec.json"])
