"""`gpujob encode` as a person uses it: files in, a worker on this machine, results in a folder, and its refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.clips import clip, ffmpeg, frames, need_ffmpeg, samples, wait_for_end_below

from .command_line import Person


@pytest.fixture
def person(tmp_path: Path) -> Person:
    need_ffmpeg()
    person = Person(tmp_path)
    clip(person.work / "screen.mp4")
    return person


def test_several_wishes_at_once(person: Person) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=300:duration=1", person.work / "voice.mp3")
    person.write("talk.srt", "1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    words = ["screen.mp4", "--trim", "0:00.5-0:01.5", "--audio", "voice.mp3", "--subtitles", "talk.srt"]
    done = person.run("encode", *words, "--scale", "80x", "--thumbnail", "0.5", "--name", "talk.mkv", "-o", "film")
    assert done.code == 0, done.err
    assert set(done.lines[1:]) == {
        "film/parts/1-trim.mkv", "film/parts/2-mux_audio.mkv", "film/talk.mkv", "film/talk.png",
    }  # fmt: skip
    assert "step 3/4: burn_subtitles" in done.err or "this machine does it" in done.err
    assert len(frames(person.work / "film/talk.mkv", 80, 60)) == 10
    assert len(samples(person.work / "film/talk.mkv")) == pytest.approx(48_000, abs=5_000)
    assert len(frames(person.work / "film/talk.png", 80, 60)) == 1


def test_without_flags_it_is_an_mp4_in_a_folder_of_the_job(person: Person) -> None:
    clip(person.work / "other.webm", seconds=1, sound=False)
    done = person.run("encode", "other.webm")
    assert done.lines[1:] == [f"gpujob-out/{done.lines[0]}/other.mp4"]
    assert len(frames(person.work / done.lines[1], 160, 120)) == 10


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["absent.mp4"], 2, "there is no file absent.mp4"),
        (["screen.mp4", "--trim", "5"], 2, "--trim '5' is not START-END"),
        (["screen.mp4", "--scale", "big"], 2, "--scale 'big' is not WxH"),
        (["screen.mp4", "--codec", "divx"], 2, "video_codec"),
        (["screen.mp4", "--crf", "60"], 100, "libx264 knows 0 to 51, not 60"),
    ],
)
def test_what_cannot_be_is_said(person: Person, words: list[str], code: int, said: str) -> None:
    done = person.run("encode", *words)
    assert done.code == code and said in done.err


@pytest.mark.timeout(300)
def test_a_cancel_ends_ffmpeg_in_the_workers_child(person: Person) -> None:
    clip(person.work / "long.mp4", size="64x48", seconds=60, sound=False)
    scratch = person.work / "scratch"
    scratch.mkdir()
    person.env["TMPDIR"] = str(scratch)
    words = ["long.mp4", "--scale", "1920x", "--fps", "60", "--preset", "slow", "--codec", "h264"]
    with person.running("encode", *words) as encode:
        encode.wait_for("step 1/1: transcode")
        assert list(scratch.glob("*"))  # the attempt's folder is here, so what works for it is seen
        assert person.run("cancel", "@last").code == 0
        encode.process.wait(60)
    assert encode.process.returncode == 103
    wait_for_end_below(scratch)
