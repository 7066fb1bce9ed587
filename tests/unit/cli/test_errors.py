"""The table of errors: which exit code each has, and that whatever happens ends as a sentence."""

from __future__ import annotations

import io
import json

import pytest

from gpujob import errors
from gpujob.specs import parse_specs
from gpujob_cli import errors as table

CODES = {
    errors.InvalidSpec("x"): 2,
    errors.Configuration("x"): 3,
    errors.Denied("x"): 3,
    errors.NoSuchBucket("x"): 3,
    errors.UnsafeStore("x"): 3,
    errors.NotInitialised("x"): 3,
    errors.WrongProtocol("x"): 3,
    errors.Unavailable("x"): 4,
    errors.Busy("x"): 4,
    errors.Conflict("x"): 5,
    errors.LocalDisk("x"): 6,
    PermissionError(13, "Permission denied", "/a"): 6,
    errors.JobFailed("x"): 100,
    errors.CorruptRecord("x"): 100,
    errors.NotFound("x"): 102,
    table.NoWorker("x"): 105,
    errors.ChecksumMismatch("x"): 106,
    errors.UnsafeName("x"): 106,
    TimeoutError(): 124,
    KeyboardInterrupt(): 130,
}


@pytest.mark.parametrize(("error", "code"), CODES.items(), ids=lambda value: type(value).__name__)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    told = table.explain(error)
    assert told.exit_code == code
    assert told.message


def test_every_error_of_the_library_has_an_exit_code_of_its_own_choosing() -> None:
    """Those that a person can meet; what only a worker meets is never reported by the program."""
    inside_a_worker = {errors.LeaseLost, errors.JobStopped, errors.PreconditionFailed, errors.BucketError}
    for error in _tree(errors.GpujobError):
        if not issubclass(error, tuple(inside_a_worker)) or issubclass(error, errors.Unavailable | errors.Busy):
            assert any(issubclass(error, row.error) for row in table.TABLE), error


def _tree(error: type[errors.GpujobError]) -> list[type[errors.GpujobError]]:
    found = []
    for child in error.__subclasses__():
        found += [child, *_tree(child)]
    return found


def test_an_errors_own_hint_beats_the_tables() -> None:
    assert table.explain(errors.NotFound("no job x", hint="look there")).hint == "look there"
    assert "gpujob ls" in table.explain(errors.NotFound("no job x")).hint


def test_an_unknown_exception_is_a_bug_and_its_traceback_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(ZeroDivisionError) as caught:
        raise ZeroDivisionError("of all things")
    assert table.report(caught.value) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    kept = said.split("The traceback is in ")[1].strip().removesuffix(".")
    with open(kept, encoding="utf-8") as stream:
        assert "ZeroDivisionError: of all things" in stream.read()


def test_json_names_the_problems_of_a_spec() -> None:
    stream = io.StringIO()
    with pytest.raises(errors.InvalidSpec) as caught:
        parse_specs('{"kind": "ecoh", "input": {}}', source="a.json")
    table.print_report(table.explain(caught.value), json=True, stream=stream)
    told = json.loads(stream.getvalue())["error"]
    assert told["type"] == "InvalidSpec" and told["exit_code"] == 2
    assert told["problems"][0]["file"] == "a.json"
    assert (told["problems"][0]["line"], told["problems"][0]["column"]) == (1, 10)


def test_control_characters_in_an_error_do_not_reach_the_terminal() -> None:
    stream = io.StringIO()
    table.print_report(
        table.Report("JobFailed", 100, "boom \x1b[2J\x07 \u202ered", "try\x00 again"), json=False, stream=stream
    )
    assert stream.getvalue() == "error: boom [2J red\n  try again\n"


@pytest.mark.parametrize(
    ("codes", "worst"),
    [
        ([0, 0], 0),
        ([], 0),
        ([0, 124, 103], 103),
        ([124, 105], 105),
        ([104, 103], 103),
        ([103, 100], 100),
        ([100, 106, 124], 106),
        ([0, 102], 102),
    ],
)
def test_several_ends_have_one_exit_code(codes: list[int], worst: int) -> None:
    assert table.worst(codes) == worst
