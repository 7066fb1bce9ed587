"""`gpujob chat`: the job that the flags make, and the answer on stdout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpujob.errors import InvalidSpec
from gpujob.records import Manifest, Result
from gpujob.settings import Loaded, Settings
from gpujob_cli.commands.chat import ChatFollower, chat
from gpujob_cli.following import Wishes

from .queues import MemorySession


@pytest.fixture
def session() -> MemorySession:
    return MemorySession()


def asked(session: MemorySession, prompt: str, **flags: Any) -> Manifest:
    """The job that these flags make."""
    assert chat(session, prompt, wait=False, **flags) == 0
    manifest = session.store.status(session.stdout.getvalue().split()[-1]).manifest
    assert manifest is not None
    return manifest


def test_the_flags_make_the_input(session: MemorySession, tmp_path: Path) -> None:
    schema = tmp_path / "person.json"
    schema.write_text('{"type": "object"}')
    flags = {"model": "m", "system": "Be brief.", "temperature": 0.0, "seed": 3, "max_tokens": 9, "json_schema": schema}
    spec = asked(session, "Why?", title="A question", priority="high", **flags).spec
    assert (spec["kind"], spec["title"], spec["priority"]) == ("chat.complete", "A question", "high")
    assert spec["input"] == {
        "model": "m",
        "prompt": "Why?",
        "system": "Be brief.",
        "options": {"temperature": 0.0, "seed": 3, "num_predict": 9},
        "format": {"type": "object"},
    }


def test_pictures_travel_as_files(session: MemorySession, tmp_path: Path) -> None:
    pictures = [tmp_path / "cat.png", tmp_path / "dog.jpeg"]
    for path in pictures:
        path.write_bytes(path.name.encode())
    manifest = asked(session, "Which is it?", model="m", system="Be brief.", image=pictures)
    assert [file.name for file in manifest.files] == ["image-1.png", "image-2.jpeg"]
    system, question = manifest.spec["input"]["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert question["images"] == ["image-1.png", "image-2.jpeg"]


def test_the_model_may_come_from_the_settings(session: MemorySession) -> None:
    with pytest.raises(InvalidSpec, match="--model missing") as refused:
        chat(session, "Why?", wait=False)
    assert "GPUJOB_CHAT_PRELOAD" in str(refused.value.hint)
    session.__dict__["loaded"] = Loaded(Settings(store="memory://test", chat_preload=("first", "second")))
    assert asked(session, "Why?").spec["input"]["model"] == "first"


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("{", "not JSON"), ('"x"', "format")])
def test_a_schema_that_is_none(session: MemorySession, tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InvalidSpec, match=reason):
        chat(session, "Why?", model="m", json_schema=path, wait=False)


def test_the_text_is_the_answer_and_the_files_are_talk(session: MemorySession) -> None:
    output = {"message": {"role": "assistant", "content": "One.\nTwo.\x1b[2J"}}
    result = Result(id="x", kind="chat.complete", state="succeeded", nonce="n", output=output)
    follower = ChatFollower(session, {"x": None}, Wishes())
    follower.answer(result, [Path("out/transcript.md")])
    assert session.stdout.getvalue() == "One.\nTwo.[2J\n"
    assert "out/transcript.md" in session.said()
    follower.answer(result.model_copy(update={"state": "failed", "output": {}}), [])
    assert session.stdout.getvalue() == "One.\nTwo.[2J\n"


def test_a_schema_nested_too_deeply_was_a_bug(session: MemorySession, tmp_path: Path) -> None:
    schema = tmp_path / "deep.json"
    schema.write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    with pytest.raises(InvalidSpec, match="nested too deeply"):
        chat(session, "Why?", model="m", json_schema=schema, wait=False)


def test_a_schema_may_begin_with_a_byte_order_mark_as_specs_may(session: MemorySession, tmp_path: Path) -> None:
    schema = tmp_path / "person.json"
    schema.write_text('\ufeff{"type": "object"}', encoding="utf-8")
    assert asked(session, "Why?", model="m", json_schema=schema).spec["input"]["format"] == {"type": "object"}
