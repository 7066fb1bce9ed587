"""What may be sent to a rented machine, and what of its words may reach this one's terminal."""

from __future__ import annotations

import sys

import pytest

from gpujob.errors import Configuration
from gpujob_cli.launching import require_fitting, run, watch

AMAZONS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "hidden"}
GOOGLES = {"AWS_ACCESS_KEY_ID": "GOOG1EXAMPLE", "AWS_SECRET_ACCESS_KEY": "hidden"}


def test_amazons_keys_are_not_sent_for_a_queue_on_google() -> None:
    with pytest.raises(Configuration, match="begins with GOOG") as caught:
        require_fitting("gs://jobs/gpu", AMAZONS)
    assert "hidden" not in f"{caught.value} {caught.value.hint}"
    require_fitting("gs://jobs/gpu", GOOGLES)
    require_fitting("s3://jobs/gpu", AMAZONS)


CLIPBOARD = "\x1b]52;c;cm0gLXJmIH4K\x07"  # OSC 52: a terminal puts it on the clipboard
SAYS = f"""
import sys
sys.stdout.write("one{CLIPBOARD}\\n\\ttwo\\x1b[2J\\n")
sys.stdout.flush()
sys.stderr.write("three{CLIPBOARD}")
"""


@pytest.mark.parametrize("how", ["run", "watch"])
def test_what_a_rented_machine_said_went_to_the_terminal_as_it_was(how: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = [sys.executable, "-c", SAYS]
    if how == "run":
        run(words)
    else:
        assert watch(words, lambda count: None)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == "one]52;c;cm0gLXJmIH4K\n\ttwo[2J\nthree]52;c;cm0gLXJmIH4K"
