"""The inputs of images, chats, videos and echoes; aliases; a plug-in's own model."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from gpujob.specs import input_model, json_schema, parse_object, register_kind, registry
from tests.unit.specs.saying import as_json, narration, problems, told


def image(**fields):
    return {"kind": "image.generate", "input": {"prompt": "a lighthouse", **fields}}


def chat(**fields):
    return {"kind": "chat.complete", "input": {"model": "m", **fields}}


def echo(**fields):
    return {"kind": "echo", "input": fields}


def step(**fields):
    return {"id": "a", "narration": "x", **fields}


def one(type_, **fields):
    return video({"type": type_, "input": "a.mp4", "output": "x", **fields})


def video(*operations, files=("a.mp4", "b.wav")):
    return {
        "kind": "video.encode",
        "files": [{"name": name} for name in files],
        "input": {"operations": list(operations)},
    }


def test_aliases_of_images():
    spec = parse_object(image(negativePrompt="x", cfg_scale=5, steps=20, size="768 x 512", n=2))
    assert spec.input == {
        "prompt": "a lighthouse", "negative_prompt": "x", "width": 768, "height": 512,
        "guidance_scale": 5.0, "num_inference_steps": 20, "n": 2, "output_format": "png",
    }  # fmt: skip
    assert spec.warnings == ()


@pytest.mark.parametrize(("asked", "painted"), [(500, 496), (513, 512), (1, 64), (9999, 2048), (512, 512), (63, 64)])
def test_sides_are_clamped_and_the_clamp_is_told(asked, painted):
    spec = parse_object(image(width=asked))
    assert spec.input["width"] == painted
    assert bool(spec.warnings) == (asked != painted)


def test_the_model_that_was_taken_down_is_read_as_its_twin():
    spec = parse_object(image(model="runwayml/stable-diffusion-v1-5"))
    assert spec.input["model"] == "stable-diffusion-v1-5/stable-diffusion-v1-5"
    assert "taken down" in spec.warnings[0]


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (image(size="big"), 'input.size: not a size in pixels such as "768x512"'),
        (image(size="8x8", width=8), "input.size: given beside width or height"),
        (image(size=5), "input.size: not a size"),
        (image(width=0), "input.width: at least 1"),
        (image(n=17), "input.n: at most 16"),
        (image(steps=0), "input.steps: at least 1"),
        (image(steps=20, num_inference_steps=30), 'input.steps: another name of "num_inference_steps"'),
        (image(model="../../etc"), "input.model: characters"),
        (image(seed=-1), "input.seed: at least 0"),
        (image(prompt=" "), "input.prompt: empty"),
        (image(promt="x"), 'input.promt: unknown field, did you mean "prompt"?'),
        (image(output_format="jpg"), 'input.output_format: one of png, jpeg, webp, did you mean "jpeg"?'),
        (chat(), "input: prompt missing"),
        (chat(prompt="x", messages=[{"role": "user", "content": "y"}]), "input.prompt: given beside messages"),
        (chat(messages=[]), "input.messages: at least one"),
        (chat(messages=[{"role": "usr", "content": "y"}]), "input.messages[0].role: one of system, user"),
        (chat(messages=[{"role": "user", "content": "y", "images": ["p.png"]}]), "input.messages[0].images[0]: not one"),
        (chat(prompt="x", options={"temprature": 0}), 'input.options.temprature: unknown field, did you'),
        (chat(prompt="x", options={"top_p": 2}), "input.options.top_p: at most 1"),
        (chat(prompt="x", keep_alive="long"), "input.keep_alive: 'long' is not a duration"),
        (chat(prompt="x", format="yaml"), 'input.format: a JSON Schema, or "json"'),
        (narration(text="x"), "input.text: given beside steps"),
        (narration(steps=[]), "input.steps: at least one"),
        (narration(steps=[step(narration="...")]), "input.steps[0].narration: has no word to say"),
        (narration(steps="x"), "input.steps: must be a list, not text"),
        (narration(steps=["x"]), "input.steps[0]: must be a mapping, not text"),
        (narration(steps=[step(paus_after=1)]), 'input.steps[0].paus_after: unknown field, did you mean "pause_after"'),
        (narration(steps=[step(), step(id="A")]), "input.steps[1].id: duplicate"),
        (narration(segments=[]), 'input.segments: another name of "steps", which is given too'),
        (narration(subtitles=["ass"]), "input.subtitles[0]: one of srt, vtt"),
        (narration(speed="1"), "input.speed: must be a number, not text"),
        (narration(speed=True), "input.speed: must be a number, not true"),
        (narration(concat="yes"), "input.concat: must be true or false, not text"),
        (narration(steps=[step(pause_after="11m")]), "input.steps[0].pause_after: at most 600"),
        (video(), "input.operations: at least one"),
        (video({"type": "transcode", "input": "a.mp4"}), "input.operations[0].output: missing"),
        (one("transcod"), "input.operations[0].type: one of"),
        (video({"input": "a.mp4", "output": "x"}), "input.operations[0].type: missing"),
        (one("transcode", crff=1), 'input.operations[0].crff: unknown field, did you mean "crf"'),
        (one("transcode", input="http://x/y"), "input.operations[0].input: not one of"),
        (one("transcode", input="a.mp"), "input.operations[0].input: not one of the job's files, did you mean \"a.mp4\"?"),
        (one("transcode", output="/tmp/x"), "input.operations[0].output: a relative path"),
        (one("transcode", output="A.mp4"), "input.operations[0].output: duplicate of"),
        (video({"type": "concat", "inputs": ["a.mp4"], "output": "x"}), "input.operations[0].inputs: at least 2"),
        (video({"type": "concat", "inputs": ["a.mp4", "c"], "output": "x"}), "input.operations[0].inputs[1]: not one of"),
        (one("mux_audio", audio="c.wav"), "input.operations[0].audio: not one of"),
        (one("scale"), "input.operations[0]: width missing"),
        (one("trim", start="10s", end=5), "input.operations[0].end: must be later"),
        (echo(artifacts=[{"name": "../x", "bytes": 1}]), "input.artifacts[0].name: a relative path"),
        (echo(artifacts=[{"name": "x", "bytes": -1}]), "input.artifacts[0].bytes: a size is"),
        (echo(fail_attempts=1), "input.fail_attempts: has no meaning without fail"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_told_once_under_the_author_s_own_names(job, sentence):
    (said,) = told(job)
    assert said.startswith(sentence)


def test_an_operation_may_read_what_an_earlier_one_made():
    made = {"type": "trim", "input": "a.mp4", "output": "cut.mp4", "start": "1s", "end": "1m"}
    use = {"type": "mux_audio", "input": "cut.mp4", "audio": "b.wav", "output": "done.mp4"}
    spec = parse_object(video(made, use))
    assert spec.input["operations"][0]["end"] == 60
    (said,) = told(video(use, made))
    assert said.endswith("and the operation that makes it does not come earlier")


def test_text_is_one_step_and_its_problems_are_told_at_text():
    spec = parse_object({"kind": "tts.narrate", "input": {"text": "Hello."}})
    assert spec.input["steps"] == [{"id": "01", "narration": "Hello."}]
    assert problems(as_json({"kind": "tts.narrate", "input": {"text": ""}}), "s.json") == [
        "s.json:4:13: input.text: empty"
    ]


def test_problems_under_an_alias_keep_the_author_s_path_and_place():
    text = "kind: tts.narrate\ninput:\n  lang: xx-yy\n  segments:\n"
    text += "  - {id: a, text: ''}\n  - {id: b, text: x, speech_speed: 3}\n"
    said = problems(text)
    assert said[0].startswith('s.yaml:3:9: input.lang: unknown language "xx-yy"')
    assert said[1:] == [
        "s.yaml:5:19: input.segments[0].text: empty",
        "s.yaml:6:36: input.segments[1].speech_speed: at most 2.0",
    ]


def test_options_of_a_chat():
    spec = parse_object(
        chat(prompt="x", keep_alive="5m", format={"type": "object"}, options={"temperature": 0, "stop": "."})
    )
    assert spec.input == {
        "model": "m", "prompt": "x", "keep_alive": 300, "format": {"type": "object"},
        "options": {"temperature": 0.0, "stop": ["."]},
    }  # fmt: skip
    assert parse_object(chat(prompt="x", keep_alive=-1)).input["keep_alive"] == -1


class Upscale(BaseModel):
    """A plug-in's own input."""

    factor: int = 2


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten with it: another test asks which kinds are near to one that nobody knows."""
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))


@pytest.mark.usefixtures("own_registry")
def test_a_plug_in_brings_its_own_model():
    register_kind("acme.upscale2", Upscale)
    register_kind("acme.upscale2", Upscale)
    assert parse_object({"kind": "acme.upscale2", "input": {}}).input == {"factor": 2}
    (said,) = told({"kind": "acme.upscale2", "input": {"factor": "x"}})
    assert said.startswith("input.factor: ")
    assert json_schema("acme.upscale2")["properties"]["input"] == {"$ref": "#/$defs/Upscale"}


def test_a_kind_has_one_model():
    with pytest.raises(ValueError, match="already has another model"):
        register_kind("echo", Upscale)
    with pytest.raises(ValueError, match="no name for a kind"):
        register_kind("Acme Upscale", Upscale)
    assert input_model("echo") is not Upscale
