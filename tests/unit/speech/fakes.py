"""A voice without a model, and the inputs it speaks."""

from __future__ import annotations

from typing import Any

from gpujob_worker.executor import Engine
from gpujob_worker.speech.script import Line


class FakeVoice:
    """Says a text in 1,000 samples a character, each sample telling the text's length; keeps what it was asked."""

    def __init__(self, warning: str | None = None) -> None:
        self.engine = Engine("fake", "1", "fake", "fake@1", "cpu")
        self.warning = warning
        self.said: list[tuple[str, Line]] = []

    def say(self, text: str, line: Line) -> bytes:
        self.said.append((text, line))
        return len(text).to_bytes(2, "little") * (1000 * len(text))


def narration_input(*texts: str, **more: Any) -> dict[str, Any]:
    """An input as the specs hand it over, defaults filled in."""
    steps = [
        {"id": f"s{number}", "narration": text, "voice": None, "speed": None, "language": None, "pause_after": None}
        for number, text in enumerate(texts, start=1)
    ]
    base = {"voice": "af_heart", "speed": 1.0, "language": None, "format": "wav", "subtitles": [], "concat": False}
    return {**base, "steps": steps, **more}
