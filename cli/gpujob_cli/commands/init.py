"""`gpujob init`: makes a queue of a bucket, once the store has shown that it can be trusted with one.

Invariant: nothing but the probe's own scratch is written to a store before the probe has passed.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpujob import queue
from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import create_bucket, open_bucket, parse_url
from gpujob.buckets.retrying import RetryingBucket
from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.errors import InvalidSpec
from gpujob.probe import Verdict, ensure_safe, probe
from gpujob.protocol.context import Context
from gpujob.protocol.removal import SETTLED_S
from gpujob.records import QueueConfig
from gpujob.specs.quantities import format_duration
from gpujob_cli import making_users
from gpujob_cli.consent import UsageError
from gpujob_cli.flags import duration
from gpujob_cli.profiles import require_name, write_profile
from gpujob_cli.session import Session

BEATS_PER_TTL = 3
SHORTEST_BEAT_S = 0.5
SHORTEST_BEAT_ON_GOOGLE_S = 2.0


def init(
    session: Session,
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="s3://bucket/prefix, gs://bucket/prefix, file:///path or a folder."),
    ] = None,
    ttl: Annotated[str | None, typer.Option(metavar="DURATION", help="A lease's life without a beat. [30s]")] = None,
    beat: Annotated[str | None, typer.Option(metavar="DURATION", help="The time between two beats. [10s]")] = None,
    retention: Annotated[str | None, typer.Option(metavar="DURATION", help="How long results are kept. [30d]")] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=100, help="Failures that end a job. [3]")] = None,
    signed: Annotated[
        bool | None, typer.Option("--signed/--unsigned", help="Whether jobs have to be signed: docs/signing.md.")
    ] = None,
    policies: Annotated[
        bool, typer.Option("--policies", help="Print the least that each role must be allowed.")
    ] = False,
    create_users: Annotated[
        bool, typer.Option("--create-users", help="Make a user for each role, on a MinIO server; print their keys.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before users are made.")] = False,
) -> None:
    """Check a bucket and make it a queue; on a queue, change its settings. With --profile, remember it by that name.

    \b
    Example:
      gpujob init s3://my-bucket/queue --profile work
    """
    profile, session.profile = session.profile, None
    if profile is not None:
        require_name(profile)
    if url is not None:
        session.use(url, profile_may_lack=True)
    if policies and create_users and not session.out.json:
        raise UsageError("--policies and --create-users both answer on stdout: ask for one, or for --json.")
    given = _given(ttl, beat, retention, max_attempts) | ({} if signed is None else {"signed": signed})
    users = making_users.plan(session, yes=yes) if create_users else None
    if create_users and users is None:
        return
    _require_beat(given.get("beat_s", SHORTEST_BEAT_ON_GOOGLE_S), session.url)  # before the seconds that a probe takes
    bucket, verdict, created = _prepare(session)
    config, was_there = _write(bucket, verdict, given)
    if profile is not None:
        session.out.say(f"profile {profile} is in {write_profile(profile, session.url)}")
    more: dict[str, Any] = {"policies": _policies(session)} if policies else {}
    if users is not None:
        more["users"] = making_users.carry_out(users)
    _tell(session, config, verdict, created, was_there, profile, more)


def _given(ttl: str | None, beat: str | None, retention: str | None, max_attempts: int | None) -> dict[str, Any]:
    found = {
        "ttl_s": duration("--ttl", ttl),
        "beat_s": duration("--beat", beat),
        "retention_s": duration("--retention", retention),
        "max_attempts": max_attempts,
    }
    return {name: value for name, value in found.items() if value is not None}


def _prepare(session: Session) -> tuple[Bucket, Verdict, bool]:
    """The bucket in the style that it wants, and the verdict on it. Raises UnsafeStore."""
    created = create_bucket(session.url)
    if created:
        session.out.say(f"created the bucket of {session.url}")
    raw = open_bucket(session.url)
    session.out.status(f"trying out whether {raw.url} decides between writers")
    chance = system_random()
    verdict = probe(raw, runtime=SYSTEM, rng=chance)
    ensure_safe(verdict)
    return RetryingBucket(open_bucket(session.url, etag_style=verdict.etag_style), SYSTEM, chance), verdict, created


def _write(bucket: Bucket, verdict: Verdict, given: dict[str, Any]) -> tuple[QueueConfig, bool]:
    """Writes queue.json; returns what stands there and whether there was one before."""
    ctx = Context(bucket, SYSTEM, system_random())
    standing = queue.load(bucket)
    base = standing or QueueConfig(created_at=SYSTEM.now())
    attempts = given.pop("max_attempts", base.defaults.max_attempts)
    defaults = base.defaults.model_copy(update={"max_attempts": attempts})
    found = {"verdict": verdict.as_dict(), "etag_style": verdict.etag_style, "defaults": defaults}
    wanted = base.model_copy(update={**given, **found})
    _require_sound(wanted, bucket.url)
    return queue.save(ctx, wanted), standing is not None


def _require_beat(beat_s: float, url: str) -> None:
    shortest_s = SHORTEST_BEAT_ON_GOOGLE_S if url.startswith("gs:") else SHORTEST_BEAT_S
    if beat_s < shortest_s:
        why = ": Google Cloud Storage takes one write of an object a second" if url.startswith("gs:") else ""
        raise InvalidSpec(f"--beat {beat_s:g}s is too often{why}", hint=f"{shortest_s:g}s is the least.")


def _require_sound(config: QueueConfig, url: str) -> None:
    _require_beat(config.beat_s, url)
    if config.ttl_s < BEATS_PER_TTL * config.beat_s:
        raise InvalidSpec(
            f"a ttl of {format_duration(config.ttl_s)} is too short for a beat every {format_duration(config.beat_s)}",
            hint=f"A lease must outlive {BEATS_PER_TTL} beats: give --ttl and --beat together.",
        )
    if config.retention_s < SETTLED_S:
        raise InvalidSpec("--retention is too short", hint=f"{format_duration(SETTLED_S)} is the least.")


def _tell(
    session: Session,
    config: QueueConfig,
    verdict: Verdict,
    created: bool,
    was_there: bool,
    profile: str | None,
    more: dict[str, Any],
) -> None:
    """Says how it went. `more` are the policies and the users (with their keys) that were asked for."""
    out = session.out
    if out.json:
        answer = {"store": session.url, "bucket_created": created, "queue_created": not was_there}
        answer |= {"config": config.model_dump(exclude={"nonce", "verdict"}), "verdict": verdict.as_dict()}
        out.answer_json(answer | more | ({"users": making_users.as_json(more["users"])} if "users" in more else {}))
        return
    seconds = sum(row.ms for row in verdict.checks) / 1000
    out.say(
        f"the store is safe: {len(verdict.checks)} checks and races passed in {format_duration(seconds)}", style="good"
    )
    life = f"ttl {format_duration(config.ttl_s)}, beat {format_duration(config.beat_s)}"
    kept = f"results kept {format_duration(config.retention_s)}, {config.defaults.max_attempts} attempts"
    out.say(f"the queue {'was there' if was_there else 'is ready'}: {life}, {kept}")
    if config.signed:
        out.say("its jobs have to be signed: give submitters a key, and the workers GPUJOB_TRUST_SUBMITTERS")
    _say_of_versions(session)
    if "policies" in more:
        out.answer_json(more["policies"], pretty=True)
    if "users" in more:
        out.raw(making_users.as_lines(more["users"]))
    if not more:
        out.answer(session.url)
    use = f"--profile {profile}, or GPUJOB_PROFILE={profile}," if profile else f"GPUJOB_STORE={session.url}"
    out.say(f"{use} leads every command to it.", style="dim")


def _say_of_versions(session: Session) -> None:
    store = parse_url(session.url)
    if store.scheme == "gs":
        _say_what_google_keeps(session, store.place)
    if store.scheme != "s3":
        return
    from gpujob_cli import s3_facts

    if s3_facts.keeps_versions(store.place):
        session.out.warn(f"{s3_facts.VERSIONS_KEPT}. {s3_facts.VERSIONS_HINT}")


def _say_what_google_keeps(session: Session, name: str) -> None:
    from gpujob.buckets.gcs import GoogleBucket
    from gpujob.buckets.gcs_facts import advisories, facts_of

    bucket = open_bucket(session.url)
    assert isinstance(bucket, GoogleBucket)
    for one in advisories(name, facts_of(bucket)):
        session.out.warn(f"{one.text}. Switch it off: {one.next}")


def _policies(session: Session) -> dict[str, Any]:
    store = parse_url(session.url)
    if store.scheme not in ("s3", "gs"):
        session.out.warn(f"{session.url} is no bucket: who may do what is decided by the folder's permissions")
        return {}
    from gpujob.policies.printed import for_google, for_s3

    return (for_google if store.scheme == "gs" else for_s3)(store.place, store.prefix)
