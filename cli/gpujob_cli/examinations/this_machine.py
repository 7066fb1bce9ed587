"""What `doctor` finds on this machine, without a network: settings, tools, models and the GPU's builds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module

from gpujob import models, settings
from gpujob.specs.quantities import format_size
from gpujob_cli import accelerators
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.session import Session


def look(session: Session) -> Iterator[Finding]:
    """The findings of the group "this machine"."""
    yield from _settings(session)
    yield _ffmpeg()
    yield _models()
    yield from gpu()


def gpu() -> Iterator[Finding]:
    """A trap in the builds of onnxruntime, where there is one."""
    builds = accelerators.installed_builds()
    trap = accelerators.trap(builds, gpu=accelerators.gpu_present())
    if trap is not None:
        yield Finding("gpu", "broken" if len(builds) > 1 else "note", trap, accelerators.SET_UP)


def _settings(session: Session) -> Iterator[Finding]:
    origin = session.loaded.origins.get("store", "the default: no store is set")
    yield Finding("store", "ok", f"{session.url} (from {origin})", facts={"url": session.url, "origin": origin})
    for name, where in settings.without_effect().items():
        text = f"{name} is set and has no effect: it belongs to a gateway or bridge that this version does not have"
        yield Finding(
            "old name", "note", f"{text} (from {where})", f"unset {name} there", facts={"name": name, "origin": where}
        )


def _ffmpeg() -> Finding:
    found = shutil.which("ffmpeg") or _packaged_ffmpeg()
    if found:
        return Finding("ffmpeg", "ok", found, facts={"path": found})
    text = "neither on the PATH nor in the package imageio-ffmpeg: no video.encode here"
    return Finding("ffmpeg", "note", text, "install ffmpeg")


def _packaged_ffmpeg() -> str | None:
    with suppress(ImportError, RuntimeError):  # the package may come without a build for this machine
        return str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    return None


def _models() -> Finding:
    here = models.installed()
    if not here:
        return Finding("models", "note", "none on this machine: it cannot speak yet", "gpujob models pull kokoro")
    names = ", ".join(f"{one.name} ({format_size(one.size_bytes)})" for one in here)
    return Finding("models", "ok", names, facts={"names": [one.name for one in here]})
