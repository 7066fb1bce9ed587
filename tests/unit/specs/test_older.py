"""The two older shapes: accepted as they are, told about where their authors wrote."""

from __future__ import annotations

import pytest

from gpujob.specs import parse_object
from tests.unit.specs.saying import as_json, problems, told


def test_a_narration_request_is_a_narration():
    steps = [{"id": "step-01", "narration": "Welcome."}]
    spec = parse_object({"voice": "am_michael", "speed": 1.0, "language": "en-us", "steps": steps})
    assert (spec.kind, spec.input["voice"], spec.input["steps"]) == ("tts.narrate", "am_michael", steps)


def test_queue_requests_are_images_and_chats():
    spec = parse_object({"tool": "imagenGenerate", "payload": {"prompt": "x", "width": 500}, "priority": "high"})
    assert (spec.kind, spec.priority, spec.input["width"]) == ("image.generate", "high", 496)
    assert spec.warnings == ("payload.width: 496 instead of 500: 64 to 2048 in steps of 8",)
    assert parse_object({"tool": "ollamaChat", "payload": {"model": "m", "prompt": "x"}}).kind == "chat.complete"


def test_problems_of_a_narration_request_stand_where_its_author_wrote():
    text = as_json({"voice": "am_micheal", "lang": "en", "steps": [{"id": "a", "narration": ""}], "sped": 1})
    assert problems(text, "r.json") == [
        'r.json:2:12: voice: unknown voice "am_micheal", did you mean "am_michael"?',
        "r.json:7:20: steps[0].narration: empty",
        'r.json:10:3: sped: unknown field, did you mean "speed"?',
    ]


def test_a_narration_request_without_steps():
    assert problems('{"voice": "af_sky"}', "r.json") == [
        'r.json:1:1: steps missing, give "steps" with an id and a narration each, or "text"'
    ]


@pytest.mark.parametrize(
    ("request_", "sentences"),
    [
        ({"tool": "imagenGenerat", "payload": {}}, ['tool: unknown, did you mean "imagenGenerate"?']),
        ({"tool": 5, "payload": {}}, ["tool: unknown, one of imagenGenerate, ollamaChat"]),
        ({"tool": "ollamaChat"}, ["payload: missing"]),
        ({"tool": "ollamaChat", "payload": {"prompt": "x"}}, ["payload.model: missing"]),
        (
            {"tool": "ollamaChat", "payload": {"model": "m", "prompt": "x"}, "priorty": "high"},
            ['priorty: unknown field, did you mean "priority"?'],
        ),
        (
            {"tool": "imagenGenerate", "payload": {"prompt": "x", "cfg_scale": -1, "size": "9"}, "priority": "urgent"},
            [
                    'payload.size: not a size in pixels such as "768x512"',
                    "payload.cfg_scale: at least 0.0",
                    "priority: one of high, normal, low",
                ],
        ),
    ],
)  # fmt: skip
def test_problems_of_a_queue_request_stand_where_its_author_wrote(request_, sentences):
    assert told(request_) == sentences
