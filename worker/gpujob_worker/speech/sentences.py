"""Cuts a narration into pieces of about a subtitle's length, at the ends of sentences wherever that can be.

Invariant: the pieces joined again are the text (but for white space), and each holds at least one letter or digit.
One piece is one pass of the model, one step of the progress bar and one cue, so its length bounds how long a cancel
has to wait.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

TARGET_WIDTH = 120  # short sentences share a piece up to this width; a CJK character counts twice
LONGEST_WIDTH = 220  # a sentence wider than this is cut at clauses
SENTENCE_PAUSE_S = 0.25
CLAUSE_PAUSE_S = 0.1

_CLOSERS = "\"'”’»)\\]」』】）"
_SENTENCE_END = re.compile(rf"(?:[.!?…]+[{_CLOSERS}]*(?=\s)|[。！？｡]+[{_CLOSERS}]*|[।॥](?=\s|$))\s*")
_CLAUSE_END = re.compile(r"(?:[,;:—–](?=\s)|[，、；：])\s*")
_WORD_END = re.compile(r"\s+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BEFORE_A_NAME = _words("mr mrs ms dr prof st sr sra dra mme mlle messrs gen col sgt capt lt rev hon gov sen sig dott")
_BEFORE_A_NUMBER = _words(
    "no nos nr vol fig figs eq sec ch p pp art approx ca jan feb mar apr jun jul aug sep oct nov dec"
)
_NEVER_LAST = _words("e.g i.e cf vs viz z.b d.h p.ej")


@dataclass(frozen=True)
class Piece:
    """A part of a narration, and the silence that its end asks for at speed 1."""

    text: str
    pause_s: float


def tidy(text: str) -> str:
    """The text with one space between words; an empty line stays as one line break, since it ends a paragraph."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))
    return "\n".join(paragraph for paragraph in paragraphs if paragraph)


def split(text: str) -> list[Piece]:
    """The pieces of a tidy text, in order."""
    pieces: list[Piece] = []
    for paragraph in text.split("\n"):
        whole: list[str] = []
        for sentence in sentences(paragraph):
            if _width(sentence) <= LONGEST_WIDTH:
                whole.append(sentence)
                continue
            pieces += _ends_in_pause(_pack(whole), SENTENCE_PAUSE_S)
            pieces += _clauses(sentence)
            whole = []
        pieces += _ends_in_pause(_pack(whole), SENTENCE_PAUSE_S)
    return _speakable(pieces)


def sentences(paragraph: str) -> list[str]:
    """The sentences of one paragraph; a full stop after an abbreviation, an initial or before a small letter ends none."""
    found, start = [], 0
    for match in _SENTENCE_END.finditer(paragraph):
        if _goes_on(paragraph[start : match.end()].rstrip(), paragraph[match.end() :]):
            continue
        found.append(paragraph[start : match.end()].strip())
        start = match.end()
    found.append(paragraph[start:].strip())
    return [sentence for sentence in found if sentence]


def _goes_on(before: str, after: str) -> bool:
    """Whether the mark that ends `before` is not the end of a sentence."""
    if not before.endswith(".") or before.endswith(".."):
        return before.endswith(("…", "..")) and after[:1].islower()
    if after[:1].islower():
        return True
    words = before[:-1].split()
    word = words[-1].lstrip("(\"'“‘«") if words else ""
    if len(words) == 1 and re.fullmatch(r"\d{1,3}", word):
        return True  # "1. First" counts, it ends nothing
    if len(word) == 1 and word.isalpha() and word.isupper() and word != "I":
        return True  # an initial
    word = word.lower()
    return word in _BEFORE_A_NAME or word in _NEVER_LAST or (word in _BEFORE_A_NUMBER and after[:1].isdigit())


def _clauses(sentence: str) -> list[Piece]:
    """A very long sentence, cut at clauses, else at words, else anywhere."""
    parts = _cut(sentence, _CLAUSE_END)
    parts = [piece for part in parts for piece in (_cut(part, _WORD_END) if _too_wide(part) else [part])]
    parts = [piece for part in parts for piece in (_slices(part) if _too_wide(part) else [part])]
    packed = _pack(parts)
    return [*_ends_in_pause(packed[:-1], CLAUSE_PAUSE_S), *_ends_in_pause(packed[-1:], SENTENCE_PAUSE_S)]


def _cut(text: str, end: re.Pattern[str]) -> list[str]:
    parts, start = [], 0
    for match in end.finditer(text):
        parts.append(text[start : match.end()].strip())
        start = match.end()
    return [part for part in [*parts, text[start:].strip()] if part]


def _slices(text: str) -> list[str]:
    step = LONGEST_WIDTH // 2
    return [text[start : start + step] for start in range(0, len(text), step)]


def _pack(parts: Iterable[str]) -> list[str]:
    """Neighbours joined as long as they stay within the target width."""
    packed: list[str] = []
    for part in parts:
        if packed and _width(joined := _join(packed[-1], part)) <= TARGET_WIDTH:
            packed[-1] = joined
        else:
            packed.append(part)
    return packed


def _speakable(pieces: list[Piece]) -> list[Piece]:
    """A piece of marks alone goes to its neighbour: the model has nothing to say for it."""
    kept: list[Piece] = []
    for piece in pieces:
        if kept and not (_says_something(piece.text) and _says_something(kept[-1].text)):
            kept[-1] = Piece(_join(kept[-1].text, piece.text), piece.pause_s)
        else:
            kept.append(piece)
    return kept


def _ends_in_pause(texts: Iterable[str], pause_s: float) -> list[Piece]:
    return [Piece(text, pause_s) for text in texts]


def _says_something(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def _join(left: str, right: str) -> str:
    """Words get a space between them; after a wide mark, as in Chinese, none is needed."""
    return left + right if _is_wide(left[-1]) else f"{left} {right}"


def _width(text: str) -> int:
    return sum(2 if _is_wide(letter) else 1 for letter in text)


def _too_wide(text: str) -> bool:
    return _width(text) > LONGEST_WIDTH


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
