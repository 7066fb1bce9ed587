"""Starting a worker on Colab with Google's own command line, `colab` of the package google-colab-cli.

Invariant: no credential stands in an argument, in the notebook or in what `colab` logs of the code that it runs: it goes
as a file that only its owner can read, and the notebook removes it there before it installs gpujob. What comes back from
the rented machine is shown as text alone.
Source of the commands: google-colab-cli 0.7.5, its README and its own --help.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from gpujob.clock import SYSTEM
from gpujob.errors import Configuration
from gpujob.plain_text import clean

PROGRAM = "colab"
INSTALL = "uv tool install google-colab-cli"
CREDENTIALS = "gpujob-credentials.json"
LONGER_S = 3600.0  # than the worker's own life: what comes before and after it
HANDED_BACK = "handing the runtime back"  # as the notebook says it
LAST_INTERRUPT = 3
LOOK_EVERY_S = 0.3
LAST_WORDS_S = 5.0  # are waited for, where something that the command started still holds its pipe
LONGEST_LINE = 64 * 1024  # what is longer is shown in pieces

Words = tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """A Colab session of a worker: its name, its GPU (empty: none), and for how long its worker may live."""

    name: str
    gpu: str
    lifetime_s: float


def new(session: Session) -> Words:
    """Rents the machine."""
    return (PROGRAM, "new", "-s", session.name, *(("--gpu", session.gpu) if session.gpu else ()))


def send(session: Session, credentials: Path) -> Words:
    """Sends the credentials to where the notebook looks for them."""
    return (PROGRAM, "upload", "-s", session.name, str(credentials), f"content/{CREDENTIALS}")


def execute(session: Session, notebook: Path) -> Words:
    """Runs the notebook and shows what it says. The time-out counts for each cell, and the worker's is the long one."""
    return (
        PROGRAM, "exec", "-s", session.name, "-f", str(notebook), "--timeout", f"{session.lifetime_s + LONGER_S:.0f}"
    )  # fmt: skip


def stop(session: Session) -> Words:
    """Gives the machine back."""
    return (PROGRAM, "stop", "-s", session.name)


def credentials_of(aws_profile: str | None) -> tuple[str, dict[str, str]]:
    """The keys of an AWS profile, or those that are in use here, and how to name them. Raises Configuration."""
    from boto3.session import Session as AwsSession
    from botocore.exceptions import BotoCoreError

    try:
        found = AwsSession(profile_name=aws_profile).get_credentials()
        keys = found.get_frozen_credentials() if found is not None else None
    except BotoCoreError as error:
        raise Configuration(f"the AWS profile {aws_profile} does not do: {error}") from None
    if keys is None or not keys.access_key or not keys.secret_key:
        raise Configuration(
            "there are no credentials here that a worker could get", hint="Set AWS_PROFILE, or give --aws-profile."
        )
    values = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    token = {"AWS_SESSION_TOKEN": keys.token} if keys.token else {}
    return f"the AWS profile {aws_profile}" if aws_profile else "the credentials in use here", values | token


def require_fitting(url: str, keys: dict[str, str]) -> None:
    """Raises Configuration where these keys are not of the store's kind: Amazon's are none of Google's business."""
    if url.startswith("gs:") and not keys["AWS_ACCESS_KEY_ID"].startswith("GOOG"):
        raise Configuration(
            f"the keys found here are Amazon's, and {url} wants an HMAC key of Google's, which begins with GOOG",
            hint="Give --aws-profile with an HMAC key, or open `gpujob worker notebook` on Colab and log in there.",
        )


def write_credentials(path: Path, values: dict[str, str]) -> None:
    """Writes them into a new file that only its owner can read."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(json.dumps(values), encoding="ascii")


def run(words: Sequence[str]) -> None:
    """Runs one of the commands; what it says is talk. Raises Configuration where it fails."""
    program = _started(words)
    shown = SYSTEM.spawn("colab", lambda: _show_all(program))
    try:
        program.wait()
    except BaseException:
        program.kill()
        raise
    shown.join(LAST_WORDS_S)
    if program.returncode:
        raise Configuration(f"`{' '.join(words[:2])}` failed; its own words are above", hint=f"`{PROGRAM} --help`")


def watch(words: Sequence[str], on_interrupt: Callable[[int], None]) -> bool:
    """Runs the notebook and shows what it says; whether its worker left as it should.

    A Ctrl-C does not reach the command: `on_interrupt` gets their count, and the third ends it. A session whose notebook
    hands the runtime back breaks off under the command, which is no failure.
    """
    heard, handed_back = 0, SYSTEM.event()

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1

    def show() -> None:
        for line in _lines(program):
            _show(line)
            if HANDED_BACK in line:
                handed_back.set()

    before = signal.signal(signal.SIGINT, hear)
    program = _started(words, start_new_session=True)
    shown = SYSTEM.spawn("colab", show)
    try:
        told = 0
        while program.poll() is None:
            SYSTEM.sleep(LOOK_EVERY_S)
            while told < heard:
                told += 1
                on_interrupt(told) if told < LAST_INTERRUPT else program.terminate()
    finally:
        signal.signal(signal.SIGINT, before)
        program.terminate()
    shown.join(LAST_WORDS_S)
    return program.returncode == 0 or handed_back.is_set()


def _started(words: Sequence[str], *, start_new_session: bool = False) -> subprocess.Popen[str]:
    """The command, with all that it says in one pipe: an error of its own may quote the rented machine too."""
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=start_new_session,
    )


def _lines(program: subprocess.Popen[str]) -> Iterator[str]:
    """What it says, a line at a time, to its end."""
    assert program.stdout is not None
    while line := program.stdout.readline(LONGEST_LINE):
        yield line


def _show_all(program: subprocess.Popen[str]) -> None:
    for line in _lines(program):
        _show(line)


def _show(line: str) -> None:
    sys.stderr.write(clean(line, lines=True))
    sys.stderr.flush()
