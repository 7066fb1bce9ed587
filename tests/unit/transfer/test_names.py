"""No name from a result leaves the folder, and all names are checked before the first byte is fetched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpujob.artifacts import download
from gpujob.errors import Conflict, GpujobError, UnsafeName
from gpujob.names import PARTS, check_names
from tests.unit.transfer.parts import PREFIX, Recorded, artifact, named, tree

HOSTILE = [
    "../escape",
    "a/../../escape",
    "/etc/escape",
    "a//b",
    "a/./b",
    ".",
    "..",
    "",
    "a/",
    "a\\..\\b",
    "C:escape",
    "C:/escape",
    "nul\0byte",
    "line\nbreak",
    "esc\x1b[2J",
    "right-to-left\u202e",
    "x" * 201,
    "ä" * 150,
    "a/" * 300 + "b",
    f"{PARTS}/x",
    f"{PARTS.upper()}/x",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_refused_before_anything_is_fetched(tmp_path: Path, name: str) -> None:
    bucket = Recorded()
    files = [artifact(bucket, "good.wav", b"good"), named(name, f"{PREFIX}x", b"evil")]
    with pytest.raises(UnsafeName):
        download(bucket, files, tmp_path / "out")
    assert bucket.opened == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "names", [["a", "a"], ["a.WAV", "A.wav"], ["caf\u00e9", "cafe\u0301"], ["a", "a/b"], ["A/b", "a"], ["x/y/z", "X/Y"]]
)
def test_names_that_are_one_file_somewhere_are_refused(names: list[str]) -> None:
    with pytest.raises(UnsafeName):
        check_names(names)


@pytest.mark.parametrize("names", [["a/b", "a/c", "ab"], ["audio/step-01.wav", "subtitles.srt"], ["日本/é.txt"]])
def test_good_names_pass(names: list[str]) -> None:
    check_names(names)


@pytest.mark.parametrize(
    "key",
    ["queue.json", "../../etc/passwd", "artifacts/../queue.json", f"{PREFIX}../../x", f"{PREFIX}", "artifacts//x"],
)
def test_a_key_that_is_no_artifact_is_refused(tmp_path: Path, key: str) -> None:
    bucket = Recorded()
    with pytest.raises(UnsafeName):
        download(bucket, [named("a.wav", key, b"x")], tmp_path)
    assert bucket.opened == []


@pytest.mark.parametrize("force", [False, True])
def test_a_linked_folder_is_not_followed(tmp_path: Path, force: bool) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "audio").symlink_to(outside)
    bucket = Recorded()
    with pytest.raises(UnsafeName, match="symbolic link"):
        download(bucket, [artifact(bucket, "audio/a.wav", b"evil")], out, force=force)
    assert os.listdir(outside) == []


def test_a_linked_parts_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / PARTS).symlink_to(outside)
    bucket = Recorded()
    with pytest.raises(UnsafeName):
        download(bucket, [artifact(bucket, "a.wav", b"evil")], out)
    assert os.listdir(outside) == []


def test_a_link_in_the_files_place_is_never_written_through(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.wav").symlink_to(secret)
    bucket = Recorded()
    file = artifact(bucket, "a.wav", b"fetched")
    with pytest.raises(Conflict):
        download(bucket, [file], out)
    download(bucket, [file], out, force=True)
    assert secret.read_text() == "secret"
    assert not (out / "a.wav").is_symlink()
    assert tree(out) == {"a.wav": b"fetched"}


def test_a_dangling_link_in_the_files_place_is_no_way_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.wav").symlink_to(tmp_path / "made")
    bucket = Recorded()
    with pytest.raises(Conflict):
        download(bucket, [artifact(bucket, "a.wav", b"fetched")], out)
    assert not (tmp_path / "made").exists()


def test_a_file_where_a_folder_is_needed_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "audio").write_text("mine")
    bucket = Recorded()
    with pytest.raises(Conflict, match="folder is needed"):
        download(bucket, [artifact(bucket, "audio/a.wav", b"x")], tmp_path)
    assert (tmp_path / "audio").read_text() == "mine"


def test_an_out_folder_that_is_itself_a_link_is_the_persons_choice(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "out").symlink_to(real)
    bucket = Recorded()
    download(bucket, [artifact(bucket, "a.wav", b"x")], tmp_path / "out")
    assert tree(real) == {"a.wav": b"x"}


@given(st.lists(st.text(alphabet=st.sampled_from("aA./\\-: é\u0301\0~"), max_size=12), min_size=1, max_size=4))
def test_whatever_passes_stays_inside(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    root = tmp_path_factory.mktemp("names")
    bucket = Recorded()
    files = [artifact(bucket, name, str(row).encode(), key=f"{PREFIX}{row}") for row, name in enumerate(names)]
    try:
        download(bucket, files, root / "out")
    except GpujobError:
        assert bucket.opened == []
        return
    assert set(tree(root)) == {f"out/{name}" for name in names}
