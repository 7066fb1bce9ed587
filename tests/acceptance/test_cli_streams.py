"""`gpujob` whose standard streams are closed, or take only some letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command_line import Person


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_a_closed_standard_input_was_a_bug_and_is_an_empty_one(person: Person) -> None:
    assert "empty: there is no spec" in person.shell("gpujob submit - <&-; test $? = 2").err
    assert "narration: empty" in person.shell("gpujob tts - <&-; test $? = 2").err
    job = person.run("echo", "--no-wait").lines[0]
    assert "Say so with --yes" in person.shell(f"gpujob rm {job} <&-; test $? = 2").err


def test_a_closed_output_was_a_bug_and_goes_nowhere(person: Person) -> None:
    done = person.shell("gpujob ls >&-")
    assert done.code == 0 and "no such jobs" in done.err
    assert person.shell("gpujob ls >&- 2>&- <&-").code == 0


def test_letters_that_the_output_lacks_ended_a_done_job_as_a_bug(person: Person) -> None:
    done = person.run("echo", "日本", PYTHONIOENCODING="latin-1")
    assert (done.code, done.lines[1]) == (0, r"\u65e5\u672c")
    spec = person.write("titled.json", {"kind": "echo", "title": "日本", "input": {}})
    job = person.run("submit", spec).lines[0]
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = person.run("show", job, **narrow)
    assert done.code == 0 and r"\u65e5\u672c" in done.out
