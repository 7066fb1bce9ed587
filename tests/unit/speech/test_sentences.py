"""Cutting narrations into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpujob_worker.speech.sentences import (
    CLAUSE_PAUSE_S,
    LONGEST_WIDTH,
    SENTENCE_PAUSE_S,
    TARGET_WIDTH,
    sentences,
    split,
    tidy,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith met Mrs. Jones. They left.", ["Dr. Smith met Mrs. Jones.", "They left."]),
        ("Use a tool, e.g. Make. It helps.", ["Use a tool, e.g. Make.", "It helps."]),
        ("J. R. R. Tolkien wrote it. I read it.", ["J. R. R. Tolkien wrote it.", "I read it."]),
        ("The answer is no. We go on.", ["The answer is no.", "We go on."]),
        ("See No. 5 and fig. 3 below. Done.", ["See No. 5 and fig. 3 below.", "Done."]),
        ("It costs 3.50 dollars. Cheap.", ["It costs 3.50 dollars.", "Cheap."]),
        ("Open app.py now. Then run it.", ["Open app.py now.", "Then run it."]),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ('He said "Stop." Then he ran.', ['He said "Stop."', "Then he ran."]),
        ("It was I. You know.", ["It was I.", "You know."]),
        ("1. First do this. 2. Then that.", ["1. First do this.", "2. Then that."]),
        ("你好。世界！再见？", ["你好。", "世界！", "再见？"]),
        ("「はい。」次です。", ["「はい。」", "次です。"]),
        ("नमस्ते। दुनिया।", ["नमस्ते।", "दुनिया।"]),
        ("apples, pears, etc. are fruit.", ["apples, pears, etc. are fruit."]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_short_sentences_share_a_piece() -> None:
    text = "Welcome to this tutorial. In the next two minutes we build a small web service."
    assert [piece.text for piece in split(text)] == [text]


def test_long_texts_are_cut_at_sentences() -> None:
    sentence = "This sentence has about seventy characters in it, give or take a few."
    pieces = split(" ".join([sentence] * 4))
    assert [piece.text for piece in pieces] == [sentence] * 4
    assert {piece.pause_s for piece in pieces} == {SENTENCE_PAUSE_S}


def test_a_very_long_sentence_is_cut_at_clauses_with_shorter_pauses() -> None:
    text = ", ".join(["a clause of some thirty letters"] * 12) + "."
    pieces = split(text)
    assert len(pieces) > 2
    assert all(len(piece.text) <= TARGET_WIDTH for piece in pieces)
    assert [piece.pause_s for piece in pieces] == [CLAUSE_PAUSE_S] * (len(pieces) - 1) + [SENTENCE_PAUSE_S]
    assert " ".join(piece.text for piece in pieces) == text


def test_paragraphs_are_not_joined_and_single_line_breaks_are_spaces() -> None:
    assert tidy("one\n two \n\n\nthree") == "one two\nthree"
    assert [piece.text for piece in split(tidy("A title\n\nThe text."))] == ["A title", "The text."]


def test_marks_alone_go_to_a_neighbour() -> None:
    assert [piece.text for piece in split("...\nHello.\n!!!")] == ["... Hello. !!!"]


@given(st.text(alphabet="ab1 .,;!?。，あ\n\"'…:-", min_size=1, max_size=900))
def test_nothing_is_lost_and_every_piece_says_something(text: str) -> None:
    text = tidy(text)
    pieces = split(text)
    joined = "".join("".join(piece.text for piece in pieces).split())
    assert joined == "".join(text.split())
    if any(letter.isalnum() for letter in text):
        assert all(any(letter.isalnum() for letter in piece.text) for piece in pieces)


@given(st.text(alphabet="abc ", min_size=1, max_size=2000))
def test_no_piece_of_words_is_too_wide(text: str) -> None:
    assert all(len(piece.text) <= LONGEST_WIDTH for piece in split(tidy(text)) if piece.text)
