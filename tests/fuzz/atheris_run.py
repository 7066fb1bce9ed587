"""A million inputs through every decoder, guided by coverage: `python -m tests.fuzz.atheris_run -runs=1000000`.

Atheris is no dependency of the project: it runs in an environment of its own, on the packages of this one.

    python3.11 -m venv /tmp/atheris && /tmp/atheris/bin/pip install atheris -e .
    GPUJOB_FUZZ=spec nice /tmp/atheris/bin/python -m tests.fuzz.atheris_run -runs=1000000 -max_len=4096

Each input goes to the decoder that GPUJOB_FUZZ names, or, without it, to the one that the input's first byte picks.
Arguments are libFuzzer's. It ends at the first exception that a decoder does not announce, with the input that did it.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from tempfile import mkdtemp

import atheris

with atheris.instrument_imports(include=["gpujob", "gpujob_worker", "gpujob_cli", "ruamel"]):
    from tests.fuzz.decoders import DECODERS
    from tests.fuzz.seeds import seeds

SLOW = ("settings", "spec", "text")  # a millisecond each: they get one share where the others get six
NAMES = [name for name in sorted(DECODERS) for _ in range(1 if name in SLOW else 6)]
ONLY = os.environ.get("GPUJOB_FUZZ", "")


def one_input(data: bytes) -> None:
    """Decodes one input."""
    if ONLY:
        DECODERS[ONLY](data)
    elif data:
        DECODERS[NAMES[data[0] % len(NAMES)]](data[1:])


def corpus() -> str:
    """A folder with the seeds, under each decoder's first byte."""
    folder = Path(mkdtemp(prefix="gpujob-corpus-"))
    choices = [0] if ONLY else [NAMES.index(name) for name in DECODERS]
    for number, seed in enumerate(seeds()):
        for choice in choices:
            (folder / f"{number}-{choice}").write_bytes(seed if ONLY else bytes([choice]) + seed)
    return str(folder)


def main() -> None:
    """Runs until `-runs`, or to the first finding."""
    logging.disable(logging.CRITICAL)
    atheris.Setup([*sys.argv, corpus()], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
