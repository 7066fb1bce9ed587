"""What went wrong, from ffmpeg's exit code and last words.

Invariant: what lies in the job's own files or wishes is `invalid_input` and not tried again; what may lie in the machine
is another type and is.
"""

from __future__ import annotations

import re
import signal

from gpujob.errors import JobFailed

LONGEST_MESSAGE = 700
_LAST_LINES = 4
_PREFIX = re.compile(r"^(\[[^\]]*\] ?)+")
_OF_THE_INPUT = (
    "invalid data found",
    "moov atom not found",
    "format not on whitelist",
    "not on whitelist",
    "could not find codec parameters",
    "does not contain any stream",
    "matches no streams",
    "not currently supported in container",
    "are supported for webm",
    "invalid utf-8 in decoded subtitles",
    "unable to find a suitable output format",
    "codec not supported in",
    "could not find tag for codec",
    "decoding requested, but no decoder found",
)


def invalid(message: str, hint: str | None = None) -> JobFailed:
    """A failure that trying again will not cure."""
    return JobFailed(message, type="invalid_input", retryable=False, hint=hint)


def failure(said: str, code: int, what: str) -> JobFailed:
    """The failure that ffmpeg's exit `code` and words stand for; `what` names the operation."""
    words = last_words(said) or f"it ended with {code} and said nothing"
    message = f"{what}: ffmpeg: {words}"[:LONGEST_MESSAGE]
    lower = said.lower()
    if code == -signal.SIGKILL:
        return JobFailed(
            f"{what}: ffmpeg was killed, as the kernel does where memory runs out",
            type="out_of_memory",
            hint="Use a smaller picture or fewer inputs.",
        )
    if "cannot allocate memory" in lower:
        return JobFailed(message, type="out_of_memory", hint="Use a smaller picture or fewer inputs.")
    if "no space left on device" in lower:
        return JobFailed(message, type="storage", hint="Make room on the worker's disk.")
    if missing := re.search(r"Unknown encoder '([\w-]+)'|Encoder not found: ([\w-]+)", said):
        name = missing[1] or missing[2]
        return JobFailed(message, hint=f"This worker's ffmpeg has no {name}: use auto, or a worker that has it.")
    if any(phrase in lower for phrase in _OF_THE_INPUT):
        return invalid(message, "Look whether the file plays at home, and whether its ending suits what is in it.")
    return JobFailed(message, hint="The job's log has all that ffmpeg said.")


def last_words(said: str) -> str:
    """The last lines of ffmpeg's output as one, errors alone where their level is marked, without addresses."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    marked = [line for line in lines if "[error]" in line or "[fatal]" in line or "[panic]" in line]
    plain = [_PREFIX.sub("", line) for line in (marked or lines)]
    distinct = list(dict.fromkeys(line for line in plain if line))
    return "; ".join(distinct[-_LAST_LINES:])[:LONGEST_MESSAGE]
