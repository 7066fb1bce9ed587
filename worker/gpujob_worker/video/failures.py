"""What went wrong, from ffmpeg's exit code and its words.

Invariant: what lies in the job's own files or wishes is `invalid_input` and not tried again; what may lie in the machine
is another type and is.
"""

from __future__ import annotations

import re
import signal

from gpujob.errors import JobFailed

LONGEST_MESSAGE = 700
_FIRST_LINES = 3
_PREFIX = re.compile(r"^(\[[^\]]*\] ?)+")
_GIVING_UP = re.compile(
    r"Last message repeated|Error opening (in|out)put|Error sending frames|Task finished|Terminating thread|"
    r"Nothing was written|Could not open encoder before EOF|Conversion failed|At least one output file|Exiting normally"
)
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
    words = cause(said) or f"it ended with {code} and said nothing"
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
    if "_nvenc" in lower:
        return JobFailed(message, hint="This worker's GPU does not encode video: use auto, or a worker that has NVENC.")
    if missing := re.search(r"Unknown encoder '([\w-]+)'|Encoder not found: ([\w-]+)", said):
        name = missing[1] or missing[2]
        return JobFailed(message, hint=f"This worker's ffmpeg has no {name}: use auto, or a worker that has it.")
    if any(phrase in lower for phrase in _OF_THE_INPUT):
        return invalid(message, "Look whether the file plays at home, and whether its ending suits what is in it.")
    return JobFailed(message, hint="The job's log has all that ffmpeg said.")


def cause(said: str) -> str:
    """The first things that ffmpeg complained of, as one line; what follows them is only that it gives up.

    Lines that are marked as errors go before all others; addresses and levels are cut off.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    marked = [line for line in lines if "[error]" in line or "[fatal]" in line or "[panic]" in line]
    plain = [_PREFIX.sub("", line) for line in (marked or lines)]
    distinct = list(dict.fromkeys(line for line in plain if line))
    telling = [line for line in distinct if not _GIVING_UP.match(line)]
    return "; ".join(telling[:_FIRST_LINES] or distinct[-1:])[:LONGEST_MESSAGE]
