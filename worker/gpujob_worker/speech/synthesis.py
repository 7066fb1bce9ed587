"""Kokoro on onnxruntime: loads the model once and speaks one piece of text at a time.

Invariant: the device named in `engine` is the one that the session really runs on, not the one that was asked for.
The same text, voice, speed, model, versions and device give the same bytes.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
from pathlib import Path
from typing import Any

from gpujob.errors import JobFailed
from gpujob_worker.executor import Engine

from . import devices, proof
from .encode import to_pcm16
from .script import Line, invalid
from .voices import VoiceBook
from .wav import SAMPLE_RATE

_MOST_THREADS = 4


class Speaker:
    """A loaded model. One pass at a time: the worker runs one job at a time."""

    def __init__(self, model: Path, voices: Path, revision: str, *, threads: int | None = None) -> None:
        self._session = _open_session(model, threads or default_threads())
        # It warns of every text whose words and phonemes differ in number, as contractions do.
        logging.getLogger("phonemizer").addFilter(_errors_only)
        kokoro_onnx = importlib.import_module("kokoro_onnx")
        self._kokoro: Any = kokoro_onnx.Kokoro.from_session(self._session, str(voices))
        self._book = VoiceBook(voices)
        self.engine = Engine(
            name="kokoro-onnx",
            version=importlib.metadata.version("kokoro-onnx"),
            model="kokoro",
            revision=revision,
            device=proof.device_of(self._session),
        )
        self.warning = devices.cpu_warning() if self.engine.device == "cpu" else devices.int8_warning(revision)

    def say(self, text: str, line: Line) -> bytes:
        """PCM 16 of the text in the line's voice, without silence at its ends. May take as long as the sound lasts."""
        style = self._book.style(line.voice)
        try:
            sound, rate = self._kokoro.create(text, voice=style, speed=line.speed, lang=line.language)
        except ValueError as error:
            raise invalid(f"step {line.id!r}: {error}") from error
        except MemoryError as error:
            raise _out_of_memory(error) from error
        except Exception as error:
            if "out of memory" in str(error).lower() or "failed to allocate" in str(error).lower():
                raise _out_of_memory(error) from error
            raise
        if rate != SAMPLE_RATE:
            raise JobFailed(f"the engine answered with {rate} samples a second, expected {SAMPLE_RATE}")
        return to_pcm16(sound)


def _errors_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def default_threads() -> int:
    """As many threads as cores that this process may use, at most four. The sound does not depend on it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_MOST_THREADS, cores))


def wants_gpu() -> bool:
    """Whether there is a GPU and onnxruntime offers CUDA; whether it works shows only in a session."""
    return devices.gpu_present() and proof.CUDA in importlib.import_module("onnxruntime").get_available_providers()


def _open_session(model: Path, threads: int) -> Any:
    ort = importlib.import_module("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin while they wait burn a second core for nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(model), options, providers=proof.providers(ort))


def _out_of_memory(error: BaseException) -> JobFailed:
    return JobFailed(f"the engine ran out of memory: {error}", type="out_of_memory")
