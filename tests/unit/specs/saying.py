"""What the tests of specs share: the problems of a text, as its author reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpujob.errors import InvalidSpec
from gpujob.specs import Spec, parse_object, parse_specs

EXAMPLES = Path(__file__).parents[3] / "examples" / "specs"


def problems(text: str, source: str = "s.yaml") -> list[str]:
    """Every line told about a text that must be refused."""
    with pytest.raises(InvalidSpec) as caught:
        parse_specs(text, source=source)
    return [str(problem) for problem in caught.value.problems]


def told(obj: dict[str, Any]) -> list[str]:
    """Every `path: message` told about a mapping that must be refused."""
    with pytest.raises(InvalidSpec) as caught:
        parse_object(obj)
    return [str(problem).removeprefix("<python>: ") for problem in caught.value.problems]


def narration(**fields: Any) -> dict[str, Any]:
    """A narration that is valid until a field makes it not so."""
    return {"kind": "tts.narrate", "input": {"steps": [{"id": "a", "narration": "Hello."}], **fields}}


def only(text: str, source: str = "s.yaml") -> Spec:
    """The one spec of a text."""
    (spec,) = parse_specs(text, source=source)
    return spec


def as_json(obj: Any) -> str:
    """The object as a person would save it."""
    return json.dumps(obj, indent=2)
