"""What is said when a job has ended. Pure."""

from __future__ import annotations

from gpujob.records import Result
from gpujob.specs import format_duration, format_size
from gpujob_cli.errors import END_CODES, Report
from gpujob_cli.session import Session
from gpujob_cli.text import clock


def summary(result: Result, *, verified: bool) -> str:
    """`succeeded in 1m12s (queue 38 s, load 0 s, run 31 s, upload 3 s), audio 4:11, 14 files, 11.9 MB, sha256 ok`."""
    times = result.timings
    phases = (("queue", times.queue), ("load", times.load), ("run", times.run), ("upload", times.upload))
    spent = ", ".join(f"{name} {_seconds(value)}" for name, value in phases)
    parts = [f"{result.state} in {format_duration(took_s(result))} ({spent})"]
    if result.attempt > 1:
        parts.append(f"attempt {result.attempt}")
    parts += filter(None, (_audio(result), _reused(result)))
    if result.artifacts:
        count = len(result.artifacts)
        size_bytes = sum(artifact.size_bytes for artifact in result.artifacts)
        parts += [f"{count} file{'s' if count > 1 else ''}", format_size(size_bytes)]
    return ", ".join(parts) + (", sha256 ok" if verified else "")


def trouble(result: Result, session: Session) -> Report:
    """What to tell about a job that did not succeed."""
    code = END_CODES[result.state]
    if result.state == "failed" and result.error is not None:
        tries = f" after {result.attempt} attempts" if result.attempt > 1 else ""
        hint = result.error.hint or f"`{session.command(f'logs {result.id}')}` prints its log."
        return Report("JobFailed", code, f"job {result.id} failed{tries}: {result.error.message}", hint)
    if result.state == "expired":
        ttl = f" of {format_duration(result.manifest.ttl_s)}" if result.manifest is not None else ""
        message = f"job {result.id} expired: it was not done within its ttl{ttl}"
        return Report("JobExpired", code, message, f"`{session.command(f'retry {result.id}')}` submits it again.")
    hint = f"`{session.command(f'retry {result.id}')}` submits it again."
    return Report(f"Job{result.state.title()}", code, f"job {result.id} was {result.state}", hint)


def took_s(result: Result) -> float:
    """From submit to end."""
    return max(0.0, result.finished_at - result.created_at)


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 9.95 or value < 0.05 else f"{value:.1f} s"


def _audio(result: Result) -> str:
    length = result.output.get("total_duration")
    return f"audio {clock(length)}" if result.kind == "tts.narrate" and isinstance(length, int | float) else ""


def _reused(result: Result) -> str:
    """How many steps were not computed again."""
    steps = result.output.get("steps")
    if not isinstance(steps, list):
        return ""
    cached = sum(1 for step in steps if isinstance(step, dict) and step.get("cached"))
    return f"{cached} of {len(steps)} steps from the cache" if cached else ""
