"""Which build of onnxruntime suits a machine with a GPU, and what pip has to do for it. Decides; looks at nothing.

Invariant: in every plan the packages `onnxruntime` and `onnxruntime-gpu` go before the right one of them comes, alone and
last: side by side they overwrite each other's files, and the build for CPUs wins without a word.
Source of versions and libraries: onnxruntime's page on CUDA, and the extras `cuda` and `cudnn` in the metadata of
onnxruntime-gpu 1.26.0 (CUDA 12) and 1.31.1 (CUDA 13).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

CPU_BUILD, GPU_BUILD = "onnxruntime", "onnxruntime-gpu"
LOOKED_AT = (CPU_BUILD, GPU_BUILD, "gpujob", "kokoro-onnx", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13")
_VERSION = re.compile(r"CUDA(?: UMD)? Version\s*:\s*(\d+)\.(\d+)")

Pip = tuple[str, ...]
"""Arguments for pip."""


@dataclass(frozen=True)
class Build:
    """A range of onnxruntime-gpu for one major version of CUDA, and the wheels that bring CUDA and cuDNN 9 along."""

    cuda: int
    requirement: str
    libraries: tuple[str, ...]


CUDA_13 = Build(
    13,
    "onnxruntime-gpu>=1.27",
    (
        "nvidia-cuda-nvrtc~=13.0",
        "nvidia-cuda-runtime~=13.0",
        "nvidia-cufft~=12.0",
        "nvidia-curand~=10.0",
        "nvidia-cudnn-cu13~=9.0",
    ),
)
CUDA_12 = Build(
    12,
    "onnxruntime-gpu>=1.20,<1.27",
    (
        "nvidia-cuda-nvrtc-cu12~=12.0",
        "nvidia-cuda-runtime-cu12~=12.0",
        "nvidia-cufft-cu12~=11.0",
        "nvidia-curand-cu12~=10.0",
        "nvidia-cudnn-cu12~=9.0",
    ),
)


@dataclass(frozen=True)
class Facts:
    """A machine: whether it has a GPU, the newest CUDA that its driver runs, and the versions of what is installed."""

    gpu: bool
    cuda: tuple[int, int] | None
    installed: Mapping[str, str]


def driver_cuda(header: str) -> tuple[int, int] | None:
    """The newest CUDA that a driver runs, from what nvidia-smi prints; None where it does not say."""
    found = _VERSION.search(header)
    return (int(found[1]), int(found[2])) if found else None


def suitable(facts: Facts) -> Build | None:
    """The build for this machine; None where its driver is too old for any.

    A driver runs older CUDA too. So where only the libraries of CUDA 12 are installed (torch brings them), they decide.
    """
    if facts.cuda is None or facts.cuda[0] < 12:
        return None
    only_12 = "nvidia-cudnn-cu12" in facts.installed and "nvidia-cudnn-cu13" not in facts.installed
    return CUDA_12 if facts.cuda[0] == 12 or only_12 else CUDA_13


def plan(facts: Facts, build: Build) -> list[Pip]:
    """What pip does, in this order: the rest of what speech needs, both builds away, the right one alone."""
    rest: list[Pip] = []
    if "kokoro-onnx" not in facts.installed:
        rest.append(("install", f"gpujob[tts]=={facts.installed['gpujob']}"))
    return [*rest, ("uninstall", "-y", CPU_BUILD, GPU_BUILD), ("install", "--no-deps", build.requirement)]


def bring_libraries(build: Build) -> Pip:
    """What pip does where CUDA's own libraries are missing."""
    return ("install", *build.libraries)
