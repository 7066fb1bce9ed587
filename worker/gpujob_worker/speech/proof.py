"""Where onnxruntime really computes: a session of the smallest model there is, a single Identity, says so.

Invariant: the answer is the provider that the session ended up with, never the one that was asked for.
Source of the field numbers: onnx.proto of ONNX 1.16 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import importlib
from typing import Any

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
_CUDA_OPTIONS = {"cudnn_conv_algo_search": "DEFAULT"}  # the exhaustive search costs seconds for each new length


def providers(ort: Any) -> list[Any]:
    """What to ask a session for: CUDA first where this onnxruntime was built with it, then the CPU."""
    if CUDA not in ort.get_available_providers():
        return [CPU]
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA and cuDNN out of NVIDIA's wheels, where they are installed that way
    return [(CUDA, _CUDA_OPTIONS), CPU]


def device_of(session: Any) -> str:
    """`cuda` or `cpu`: where a session runs."""
    return "cuda" if session.get_providers()[0] == CUDA else "cpu"


def session_device() -> str:
    """`cuda` or `cpu`: where a session of this process runs, found by running one. Raises ImportError without onnxruntime."""
    ort = importlib.import_module("onnxruntime")
    numpy = importlib.import_module("numpy")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(identity_model(), options, providers=providers(ort))
    answer = session.run(None, {"x": numpy.ones(1, numpy.float32)})[0]
    if answer.tolist() != [1.0]:
        raise RuntimeError(f"onnxruntime computed {answer.tolist()} where 1 was to be expected")
    return device_of(session)


def identity_model() -> bytes:
    """An ONNX model whose output y is its input x: float32, shape (1,)."""
    node = _text(1, "x") + _text(2, "y") + _text(4, "Identity")
    graph = _block(1, node) + _text(2, "g") + _block(11, _value("x")) + _block(12, _value("y"))
    return _number(1, 8) + _block(7, graph) + _block(8, _number(2, 13))


def _value(name: str) -> bytes:
    shape = _block(1, _number(1, 1))
    tensor = _number(1, 1) + _block(2, shape)
    return _text(1, name) + _block(2, _block(1, tensor))


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])


def _text(field: int, text: str) -> bytes:
    return _block(field, text.encode())


def _block(field: int, body: bytes) -> bytes:
    return bytes([field << 3 | 2, len(body)]) + body
