"""What doctor says of this machine's tools: the same as the worker that would use them."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.this_machine import look
from gpujob_cli.session import Session


def ffmpeg() -> Finding:
    with Session() as session:
        (found,) = [finding for finding in look(session) if finding.check == "ffmpeg"]
    return found


def test_an_ffmpeg_out_of_a_package_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker encodes with it, and doctor said that there was none."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", SimpleNamespace(get_ffmpeg_exe=lambda: "/packaged/ffmpeg"))
    assert (ffmpeg().status, ffmpeg().text) == ("ok", "/packaged/ffmpeg")


def test_none_at_all_is_noted_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert (ffmpeg().status, ffmpeg().next) == ("note", "install ffmpeg")
