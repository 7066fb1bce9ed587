"""Subtitles as SRT and WebVTT.

Invariant: cues follow one another without overlap, and text can neither end its own cue nor start another: no empty
lines, no arrow, no markup. Formats: SubRip as players read it; WebVTT, W3C, https://www.w3.org/TR/webvtt1/.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

LINE_WIDTH = 42
MEDIA_TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt"}


@dataclass(frozen=True)
class Cue:
    """One subtitle, in seconds from the narration's start."""

    start_s: float
    end_s: float
    text: str


def write(cues: Iterable[Cue], form: str) -> str:
    """The subtitle file's text; `form` is `srt` or `vtt`."""
    return srt(cues) if form == "srt" else vtt(cues)


def srt(cues: Iterable[Cue]) -> str:
    """The cues as a SubRip file."""
    blocks = (
        f"{number}\n{_stamp(cue.start_s, ',')} --> {_stamp(cue.end_s, ',')}\n{_lines(cue.text)}\n"
        for number, cue in enumerate(cues, start=1)
    )
    return "\n".join(blocks)


def vtt(cues: Iterable[Cue]) -> str:
    """The cues as a WebVTT file."""
    blocks = (f"{_stamp(cue.start_s, '.')} --> {_stamp(cue.end_s, '.')}\n{_lines(_escape(cue.text))}\n" for cue in cues)
    return "\n".join(["WEBVTT\n", *blocks])


def _stamp(seconds: float, point: str) -> str:
    """`00:01:02,345`; the hours may grow beyond two digits."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _lines(text: str) -> str:
    """The text in lines of a subtitle's width. Words are not broken, and no line is empty."""
    safe = text.replace("-->", "->")
    return "\n".join(textwrap.wrap(safe, LINE_WIDTH, break_long_words=False, break_on_hyphens=False)) or safe


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
