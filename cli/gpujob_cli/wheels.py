"""The wheel of this very gpujob, for workers on other machines.

Invariant: the wheel holds the code that runs here. From a checkout that is installed in place pip builds it; else it is
put together again out of the installed files, with the metadata that came with them. Equal code gives equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gpujob.errors import Configuration

PACKAGE = "gpujob"
NOT_CARRIED = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json"}  # what an installer adds
WHEN = (2020, 2, 2, 0, 0, 0)  # of every file, so that equal files give equal bytes


@dataclass(frozen=True)
class Wheel:
    """A wheel: the file name by which pip knows it, and its bytes."""

    file_name: str
    body: bytes

    @property
    def sha256(self) -> str:
        """The sha256 of its bytes, in hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()


def this_wheel() -> Wheel:
    """The wheel of the gpujob that runs. Raises Configuration where it cannot be had."""
    found = metadata.distribution(PACKAGE)
    checkout = editable_checkout(found)
    return built(checkout) if checkout is not None else packed(found)


def editable_checkout(found: metadata.Distribution) -> Path | None:
    """The folder that a distribution is installed from in place; None for a copy. See PEP 610."""
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(origin["url"]).path))


def built(checkout: Path) -> Wheel:
    """The wheel that pip builds from a checkout."""
    with tempfile.TemporaryDirectory(prefix="gpujob-wheel-") as folder:
        pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, "--wheel-dir", folder, checkout], capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
            raise Configuration(
                f"pip built no wheel of {checkout}: {said[-1]}", hint=f"Try `pip wheel --no-deps {checkout}` yourself."
            )
        return Wheel(wheels[0].name, wheels[0].read_bytes())


def packed(found: metadata.Distribution) -> Wheel:
    """The wheel of an installed distribution that is all Python, out of its installed files."""
    files = dict(sorted(_carried(found).items(), key=lambda item: (".dist-info/" in item[0], item[0])))
    (info,) = {path.partition("/")[0] for path in files if path.endswith(".dist-info/WHEEL")}
    record = f"{info}/RECORD"
    files[record] = _record(files, record)
    tag = next(line.split()[1] for line in files[f"{info}/WHEEL"].decode().splitlines() if line.startswith("Tag:"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, body in files.items():
            entry = zipfile.ZipInfo(path, WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, body)
    return Wheel(f"{info.removesuffix('.dist-info')}-{tag}.whl", buffer.getvalue())


def _carried(found: metadata.Distribution) -> dict[str, bytes]:
    """The files that came with the wheel, by their paths in it: no scripts, no compiled modules, no notes of pip."""
    listed = [path for path in found.files or () if ".." not in path.parts and path.suffix != ".pyc"]
    wanted = [path for path in listed if path.name not in NOT_CARRIED or not path.parts[0].endswith(".dist-info")]
    try:
        files = {path.as_posix(): Path(str(path.locate())).read_bytes() for path in wanted}
    except OSError as error:
        raise Configuration(
            f"gpujob's own file {error.filename} cannot be read", hint="Install gpujob again."
        ) from error
    if not any(path.endswith(".dist-info/WHEEL") for path in files):
        raise Configuration("nothing says which files gpujob was installed from", hint="Install it with pip.")
    return files


def _record(files: Mapping[str, bytes], record: str) -> bytes:
    """The RECORD of these files: path, sha256 and size, as PEP 376 and PEP 427 have it."""
    rows = []
    for path, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(body)}\n")
    return "".join([*rows, f"{record},,\n"]).encode()
