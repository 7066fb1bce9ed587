"""The output: what goes where, and that untrusted text cannot move a cursor."""

from __future__ import annotations

import io
import json

import pytest

from gpujob.settings import Terminal, terminal
from gpujob_cli.output import Line, Output
from gpujob_cli.text import ago, clean, clock, iso, shorten, table

PLAIN = Terminal(color=None, dumb=False)


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def made(screen: bool = False, wishes: Terminal = PLAIN, **flags: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = (Screen(), Screen()) if screen else (io.StringIO(), io.StringIO())
    return Output(stdout=out, stderr=err, wishes=wishes, **flags), out, err


def test_the_answer_goes_to_stdout_and_the_talk_to_stderr() -> None:
    output, out, err = made()
    output.answer("01abc")
    output.say("queued")
    output.warn("careful")
    assert out.getvalue() == "01abc\n"
    assert err.getvalue() == "queued\nwarning: careful\n"


def test_quiet_leaves_answers_and_warnings() -> None:
    output, out, err = made(quiet=True)
    output.say("talk")
    output.status("talk")
    output.answer("path")
    output.warn("careful")
    assert (out.getvalue(), err.getvalue()) == ("path\n", "warning: careful\n")


def test_json_keeps_stderr_for_json() -> None:
    output, out, err = made(json=True)
    output.say("talk")
    output.status("talk")
    output.warn("careful")
    output.answer_json({"id": "x", "text": "\x1b[2J"})
    assert json.loads(err.getvalue()) == {"warning": "careful"}
    assert json.loads(out.getvalue()) == {"id": "x", "text": "\x1b[2J"}
    assert "\x1b" not in out.getvalue()


def test_without_a_terminal_a_line_is_printed_once_a_change() -> None:
    output, _, err = made()
    for done, left in ((1, "0:09 left"), (1, "0:08 left"), (2, "0:07 left")):
        output.status(Line(f"step {done}/3", done / 3, left))
    assert err.getvalue() == "step 1/3, 33 %, 0:09 left\nstep 2/3, 66 %, 0:07 left\n"


def test_a_growing_text_stands_above_the_line_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "9")
    text = "".join(f"word {number}\n" for number in range(20)) + "\x1b[2Jthe end " + "x" * 50
    output, _, err = made(screen=True)
    output.status(Line("answering", 0.5, growing=text))
    shown = err.getvalue()
    assert "word 19" in shown and "word 5" not in shown
    assert "[2Jthe end" in shown and "\x1b[2J" not in shown
    assert shown.index("x" * 10) < shown.index("answering")
    output.answer("the answer")
    plain, _, err = made()
    for growing in ("One", "One two"):
        plain.status(Line("answering", 0.5, growing=growing))
    assert err.getvalue() == "answering, 50 %\n"


def test_on_a_terminal_the_line_is_rewritten_and_gone_before_the_next_answer() -> None:
    output, out, err = made(screen=True)
    output.status(Line("step 1/3", 0.33, "0:09 left"))
    assert "step 1/3" in err.getvalue() and "━" in err.getvalue()
    output.answer("path")
    assert out.getvalue() == "path\n"
    assert err.getvalue().endswith("\x1b[2K")  # the line was erased


@pytest.mark.parametrize(
    ("environ", "screen", "colored"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_follows_the_conventions(environ: dict[str, str], screen: bool, colored: bool) -> None:
    output, _, err = made(screen=screen, wishes=terminal(environ))
    output.say("well done", style="good")
    assert ("\x1b[32m" in err.getvalue()) is colored


def test_a_dumb_terminal_is_not_animated() -> None:
    output, _, err = made(screen=True, wishes=terminal({"TERM": "dumb"}))
    output.status("one")
    assert err.getvalue() == "one\n"


def test_markup_in_untrusted_text_is_text() -> None:
    output, _, err = made(screen=True)
    output.status(Line("[red]not red[/red] :boom:"))
    assert "[red]not red[/red] :boom:" in err.getvalue()


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("a\x1b[31mb", "a[31mb"),
        ("bell\x07", "bell"),
        ("two\nlines", "two lines"),
        ("right\u202eleft", "rightleft"),
        ("zero\u200bwidth", "zerowidth"),
        ("carriage\rreturn", "carriagereturn"),
        ("c1\x9b2J", "c12J"),
        ("half\ud800", "half"),
        ("grüße 日本", "grüße 日本"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("tab\tstop", "tab stop"),
    ],
)
def test_clean_leaves_nothing_that_moves_a_cursor(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


def test_an_answer_of_several_lines_kept_no_tabs_and_tore_emoji_apart() -> None:
    output, out, _ = made()
    output.raw("\tif a:\n\u202e\t\t👩\u200d🚀\n")
    assert out.getvalue() == "\tif a:\n\t\t👩\u200d🚀\n"


def test_texts() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert (clock(21), clock(251), clock(3723)) == ("0:21", "4:11", "1:02:03")
    assert iso(0) is None and iso(1.5) == "1970-01-01T00:00:01.500Z"
    assert [ago(s) for s in (0.2, 12, 300, 7200, 90_000, 200_000)] == [
        "just now", "12 s ago", "5 min ago", "2 h ago", "1 day ago", "2 days ago",
    ]  # fmt: skip
    assert table([["a", "bb"], ["ccc", "d\x1b"]], header=["X", "Y"]) == ["X    Y", "a    bb", "ccc  d"]
