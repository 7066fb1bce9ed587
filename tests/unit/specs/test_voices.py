"""Voices, mixes and languages."""

from __future__ import annotations

import pytest

from gpujob.specs import parse_object
from gpujob.specs.nearest import Refused
from gpujob.specs.voices import VOICES, language_of, parse_language, parse_voice, suits
from tests.unit.specs.saying import narration, told


def test_there_are_the_54_voices_of_kokoro():
    assert len(set(VOICES)) == 54
    assert {"af_heart", "am_michael", "bf_emma", "jf_alpha", "zm_yunyang", "pm_santa"} <= set(VOICES)


def test_a_mix_has_weights():
    assert parse_voice("af_bella(2)+af_sky(1)") == (("af_bella", 2.0), ("af_sky", 1.0))
    assert parse_voice(" af_bella ( 0.5 ) + af_sky") == (("af_bella", 0.5), ("af_sky", 1.0))
    assert parse_voice("af_heart") == (("af_heart", 1.0),)


@pytest.mark.parametrize(
    ("voice", "sentence"),
    [
        ("af_bela", 'unknown voice "af_bela", did you mean "af_bella"?'),
        ("AF_Heart", 'did you mean "af_heart"?'),
        ("michael", 'did you mean "am_michael"?'),
        ("qqqq", "lists all 54"),
        ("", "not a voice"),
        ("af_bella(2)+", "not a voice"),
        ("af_bella(-1)", "not a voice"),
        ("af_bella(0)", "above 0"),
        ("af_bella+af_bella(2)", "each voice once"),
        ("+".join(VOICES[:9]), "at most 8"),
    ],
)
def test_what_is_no_voice_is_refused(voice, sentence):
    with pytest.raises(Refused) as caught:
        parse_voice(voice)
    assert sentence in str(caught.value)


def test_the_first_letter_is_the_language():
    voices = ("af_heart", "bf_emma", "ef_dora", "ff_siwis", "hf_beta", "if_sara", "jf_alpha", "pf_dora", "zf_xiaoni")
    assert [language_of(voice) for voice in voices] == [
        "en-us",
        "en-gb",
        "es",
        "fr-fr",
        "hi",
        "it",
        "ja",
        "pt-br",
        "cmn",
    ]


@pytest.mark.parametrize(
    ("written", "voice", "language"),
    [
        ("a", None, "en-us"),
        ("en_US", None, "en-us"),
        ("en", "bf_emma", "en-gb"),
        ("en", "af_sky", "en-us"),
        ("zh", None, "cmn"),
        ("pt-BR", None, "pt-br"),
        ("fr", None, "fr-fr"),
        ("b", None, "en-gb"),
    ],
)
def test_a_language_has_several_spellings(written, voice, language):
    assert parse_language(written, voice) == language


def test_a_mix_suits_the_languages_of_its_voices():
    assert suits("en-gb", "af_bella+bf_emma")
    assert not suits("ja", "af_bella+bf_emma")


def test_languages_are_filled_in_beside_voices():
    steps = [
        {"id": "a", "narration": "x"},
        {"id": "b", "narration": "x", "voice": "jf_alpha"},
        {"id": "c", "narration": "x", "language": "en"},
    ]
    spec = parse_object(narration(voice="bf_emma", steps=steps))
    assert spec.input["language"] == "en-gb"
    assert [step.get("language") for step in spec.input["steps"]] == [None, "ja", "en-gb"]


def test_a_step_s_language_must_suit_the_voice_it_is_spoken_with():
    steps = [
        {"id": "a", "narration": "x", "language": "ja"},
        {"id": "b", "narration": "x", "language": "ja", "voice": "jm_kumo"},
    ]
    (said,) = told(narration(steps=steps))
    assert said == (
        'input.steps[0].language: does not suit voice af_heart (en-us), write "en-us", or take a voice such as jf_alpha'
    )


def test_an_unknown_language_or_voice_is_told_once():
    assert told(narration(voice="af_hart", language="en-uss")) == [
        'input.voice: unknown voice "af_hart", did you mean "af_heart"?',
        'input.language: unknown language "en-uss", did you mean "en-us"?',
    ]
