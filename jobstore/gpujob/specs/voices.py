"""The voices of Kokoro v1.0, what they speak, and mixes such as `af_bella(2)+af_sky(1)`.

Invariant: a voice's first letter decides its language, and voices and languages have only the names listed here.
"""

from __future__ import annotations

import re

from gpujob.specs.nearest import Refused, did_you_mean

DEFAULT_VOICE = "af_heart"
MAX_MIX = 8

VOICES: tuple[str, ...] = tuple(
    f"{prefix}_{name}"
    for prefix, names in (
        ("af", "alloy aoede bella heart jessica kore nicole nova river sarah sky"),
        ("am", "adam echo eric fenrir liam michael onyx puck santa"),
        ("bf", "alice emma isabella lily"),
        ("bm", "daniel fable george lewis"),
        ("ef", "dora"),
        ("em", "alex santa"),
        ("ff", "siwis"),
        ("hf", "alpha beta"),
        ("hm", "omega psi"),
        ("if", "sara"),
        ("im", "nicola"),
        ("jf", "alpha gongitsune nezumi tebukuro"),
        ("jm", "kumo"),
        ("pf", "dora"),
        ("pm", "alex santa"),
        ("zf", "xiaobei xiaoni xiaoxiao xiaoyi"),
        ("zm", "yunjian yunxi yunxia yunyang"),
    )
    for name in names.split()
)

LANGUAGE_OF_LETTER: dict[str, str] = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr-fr",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-br",
    "z": "cmn",
}
LANGUAGES: tuple[str, ...] = tuple(LANGUAGE_OF_LETTER.values())

_OTHER_NAMES = {
    **LANGUAGE_OF_LETTER,
    "en-uk": "en-gb",
    "es-es": "es",
    "fr": "fr-fr",
    "hi-in": "hi",
    "it-it": "it",
    "ja-jp": "ja",
    "jp": "ja",
    "pt": "pt-br",
    "zh": "cmn",
    "zh-cn": "cmn",
    "cmn-cn": "cmn",
}
_ALL = "`gpujob schema tts.narrate` lists all 54, such as af_heart, am_michael and bf_emma"
_PART = re.compile(r"\s*([A-Za-z0-9_]+)\s*(?:\(\s*(\d{1,4}(?:\.\d{1,6})?)\s*\))?\s*")


def parse_voice(text: str) -> tuple[tuple[str, float], ...]:
    """The voices of a name or a mix with their weights as written, 1.0 where none is given.

    Raises `Refused` (a ValueError) with a did-you-mean for a name that is not a voice.
    """
    parts = text.split("+")
    if len(parts) > MAX_MIX:
        raise Refused(f"a mix has at most {MAX_MIX} voices")
    mix = tuple(_part(part) for part in parts)
    names = [name for name, _ in mix]
    if len(set(names)) != len(names):
        raise Refused("a mix names each voice once", "give it one weight instead")
    return mix


def _part(text: str) -> tuple[str, float]:
    match = _PART.fullmatch(text)
    if match is None:
        raise Refused("not a voice", 'write a name such as "af_heart", or a mix such as "af_bella(2)+af_sky(1)"')
    name, weight = match[1], float(match[2] or 1)
    if name not in VOICES:
        raise Refused(f'unknown voice "{name[:40]}"', did_you_mean(name, VOICES) or _ALL)
    if weight <= 0:
        raise Refused("a voice's weight in a mix is above 0")
    return name, weight


def language_of(voice: str) -> str:
    """The language a voice or mix speaks: that of its first voice."""
    return LANGUAGE_OF_LETTER[parse_voice(voice)[0][0][0]]


def parse_language(text: str, voice: str | None = None) -> str:
    """The one name by which the engine knows a language: `en-us` for `a`, `en_US` or, of an American voice, `en`.

    Raises `Refused` (a ValueError) for a language that no voice speaks.
    """
    word = text.strip().lower().replace("_", "-")
    if word == "en":
        return "en-gb" if voice is not None and language_of(voice) == "en-gb" else "en-us"
    language = _OTHER_NAMES.get(word, word)
    if language not in LANGUAGES:
        choices = (*LANGUAGES, *(name for name in _OTHER_NAMES if len(name) > 1))
        raise Refused(
            f'unknown language "{text[:40]}"', did_you_mean(word, choices) or "one of " + ", ".join(LANGUAGES)
        )
    return language


def suits(language: str, voice: str) -> bool:
    """Whether some voice of the mix speaks the language."""
    spoken = {LANGUAGE_OF_LETTER[name[0]] for name, _ in parse_voice(voice)}
    return parse_language(language, voice) in spoken


def voice_for(language: str) -> str:
    """A voice that speaks the language, given by the engine's name for it."""
    speakers = [voice for voice in VOICES if LANGUAGE_OF_LETTER[voice[0]] == language]
    return DEFAULT_VOICE if DEFAULT_VOICE in speakers else speakers[0]
