"""A look that fails, hangs or has a bug is told of, and hides no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpujob.clock import SYSTEM
from gpujob.errors import Denied
from gpujob_cli.examinations.findings import CHECKS, Finding, bounded, together


def fine() -> Iterator[Finding]:
    yield Finding("clock", "ok", "well")


def refused() -> Iterator[Finding]:
    yield Finding("versions", "ok", "none")
    raise Denied("no", hint="ask")


def test_a_look_that_is_refused_keeps_what_it_found_before() -> None:
    found = bounded("lifecycle", refused)
    assert [(one.check, one.status, one.text, one.next) for one in found] == [
        ("versions", "ok", "none", ""),
        ("lifecycle", "broken", "no", "ask"),
    ]


def test_a_bug_in_one_look_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpujob_cli.errors.save_traceback", lambda error: "the file")

    def buggy() -> Iterator[Finding]:
        raise KeyError("oops")
        yield

    found = list(together([("rights", buggy), ("clock", fine)]))
    assert [(one.check, one.status) for one in found] == [("rights", "broken"), ("clock", "ok")]
    assert "KeyError" in found[0].text and "the file" in found[0].next


def test_a_look_that_hangs_ends_at_its_limit_and_keeps_what_it_found() -> None:
    never = SYSTEM.event()

    def hanging() -> Iterator[Finding]:
        yield Finding("versions", "ok", "none")
        never.wait(60)

    looks = [("lock", hanging), ("clock", fine)]
    found = list(together(looks, limit_s=1.0, late="broken"))
    never.set()
    assert [(one.check, one.status) for one in found] == [("versions", "ok"), ("lock", "broken"), ("clock", "ok")]
    assert "within 1 s" in found[1].text


def test_looks_at_the_same_time_are_told_in_their_order() -> None:
    second_ran = SYSTEM.event()

    def first() -> Iterator[Finding]:
        assert second_ran.wait(20), "they do not run at the same time"
        yield Finding("identity", "ok", "me")

    def second() -> Iterator[Finding]:
        second_ran.set()
        yield Finding("rights", "ok", "few")

    assert [one.check for one in together([("identity", first), ("rights", second)])] == ["identity", "rights"]


def test_json_has_the_shape_that_the_docs_promise() -> None:
    found = Finding("cost", "note", "dear", "less", ("a line",), {"dollars": 1})
    assert found.as_dict() == {
        "group": "the queue",
        "check": "cost",
        "status": "note",
        "text": "dear",
        "next": "less",
        "facts": {"dollars": 1},
    }


def test_a_check_without_a_group_is_refused() -> None:
    with pytest.raises(KeyError):
        _ = Finding("colour", "ok", "blue").group
    assert list(dict.fromkeys(CHECKS.values())) == ["this machine", "the store", "the queue"]
