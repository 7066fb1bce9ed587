"""The notebook of one queue: where its store is, and which wheel of gpujob the bucket brings along.

Invariant: a notebook says where, what and whose jobs, never who runs it: no secret, private key, user name or password
gets into one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from urllib.parse import urlsplit

from gpujob import keys, settings
from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import parse_url
from gpujob.errors import Configuration, InvalidSpec, Unavailable
from gpujob.protocol.writes import create
from gpujob.signing.identity import Identity
from gpujob.signing.public import PublicKey
from gpujob_cli.notebooks.building import Value, worker_notebook
from gpujob_cli.wheels import PACKAGE, Wheel

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def notebook_for(url: str, wheel: Wheel, values: Mapping[str, Value]) -> str:
    """The worker's notebook for the queue at `url`, as text; `values` are further fields of its form."""
    endpoint, region = place(url)
    found: dict[str, Value] = {"STORE": url, "ENDPOINT": endpoint, "REGION": region, "WHEEL": key_of(wheel)}
    return worker_notebook({**found, **values})


def trusted(identity: Identity) -> dict[str, Value]:
    """The fields with public keys: those whose jobs the notebook runs (this user, and whom they trust), and the workers whose
    cached steps it uses."""
    own = () if identity.key is None else (identity.key.public,)
    return {"TRUST_SUBMITTERS": _listed((*own, *identity.submitters)), "TRUST_WORKERS": _listed(identity.workers)}


def _listed(keys: Iterable[PublicKey]) -> str:
    return ",".join(key.text for key in dict.fromkeys(keys))


def place(url: str) -> tuple[str, str]:
    """The endpoint and the region that lead to a store from here; both empty for a folder."""
    store = parse_url(url)
    if store.scheme == "memory":
        raise Configuration("a store in memory ends with its process: no worker elsewhere can reach it")
    if store.scheme == "gs":
        endpoint = settings.google_endpoint()
        return "" if endpoint == settings.GOOGLE_ENDPOINT else endpoint, ""
    if store.scheme != "s3":
        return "", ""
    from gpujob_cli.s3_facts import endpoint_and_region

    return endpoint_and_region()


def only_here(url: str) -> str | None:
    """Why other machines cannot reach a store; None where they may."""
    if url.startswith("file:"):
        return f"{url} is a folder of this machine: a notebook elsewhere cannot reach it"
    endpoint, _ = place(url)
    if urlsplit(endpoint).hostname in LOOPBACK:
        return f"{endpoint} is this very machine: a notebook elsewhere cannot reach it"
    return None


def key_of(wheel: Wheel) -> str:
    """Where the bucket keeps a wheel."""
    return keys.wheel(wheel.sha256, wheel.file_name)


def bring(bucket: Bucket, wheel: Wheel) -> bool:
    """Puts the wheel into the bucket if it is absent; whether it was. The key names the content, so `lost` is no loss."""
    write = create(bucket, key_of(wheel), wheel.body)
    if write.outcome == "unknown":
        head = bucket.head(key_of(wheel))
        if head is None or head.size_bytes != len(wheel.body):
            raise Unavailable(f"{bucket.url} did not take the wheel {wheel.file_name}", hint="Run the command again.")
    return write.outcome != "lost"


def known_extras(text: str) -> str:
    """`tts, image` as pip takes it. Raises InvalidSpec for an extra that gpujob has not."""
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    known = metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    unknown = [word for word in wanted if word not in known]
    if unknown:
        raise InvalidSpec(f"gpujob has no extra {unknown[0]!r}", hint=f"There are {', '.join(known)}.")
    return ",".join(wanted)
