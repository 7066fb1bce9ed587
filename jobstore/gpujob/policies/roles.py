"""The roles of a queue, as data: which of five verbs each may use below which part of the bucket.

Invariant: no role may do more than the protocol asks of it, and every policy that gpujob prints or creates is made of
this table. Only an operator removes what others rely on: results, inputs, files, idempotency keys, the cache.
"""

from __future__ import annotations

from typing import Literal, get_args

from gpujob import keys

Verb = Literal["get", "list", "create", "replace", "delete"]
VERBS: tuple[Verb, ...] = get_args(Verb)

Role = Literal["submitter", "submitter-without-cancel", "worker", "reader", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)

FOLDERS = (
    keys.PENDING, keys.LEASED, keys.DONE, keys.UNIQUE, keys.ARTIFACTS, "inputs/", keys.CACHE, keys.WORKERS,
    keys.MODELS, keys.DIST, "probe/", keys.QUEUE,
)  # fmt: skip
"""The parts of a queue: folders, and the one object that stands beside them."""

ABOUT: dict[Role, str] = {
    "submitter": "submits jobs, waits for them, fetches their files, cancels",
    "submitter-without-cancel": "the same, but ends nobody's job",
    "worker": "serves jobs; leaves results, inputs and files where they are",
    "reader": "looks and fetches, changes nothing",
    "operator": "everything in the queue: init, doctor, gc, rm, fsck, drain and stop, wheels",
}

_SUBMITTER: dict[str, str] = {
    keys.PENDING: "get list create",
    keys.LEASED: "get list",
    keys.DONE: "get list",
    keys.UNIQUE: "get create",
    keys.ARTIFACTS: "get list",
    "inputs/": "get create replace",  # put again when half its retention is over
    keys.WORKERS: "get list",
    keys.QUEUE: "get",
}
_CANCEL: dict[str, str] = {
    keys.PENDING: "get list create delete",
    keys.LEASED: "get list delete",
    keys.DONE: "get list create",
}
_WORKER: dict[str, str] = {
    keys.PENDING: "get list create delete",
    keys.LEASED: "get list create replace delete",
    keys.DONE: "get list create",
    keys.ARTIFACTS: "create replace",  # an upload that may have landed is sent again
    "inputs/": "get",
    keys.CACHE: "get create replace",
    keys.WORKERS: "get list create replace delete",
    keys.MODELS: "get create",
    keys.DIST: "get",
    keys.QUEUE: "get",
}

_GRANTS: dict[Role, dict[str, str]] = {
    "submitter": {**_SUBMITTER, **_CANCEL},
    "submitter-without-cancel": _SUBMITTER,
    "worker": _WORKER,
    "reader": dict.fromkeys(FOLDERS, "get list"),
    "operator": dict.fromkeys(FOLDERS, " ".join(VERBS)),
}

WRITE_ONCE = (keys.PENDING, keys.DONE, keys.UNIQUE)
"""Whatever is written here is written if absent, by everybody: where the store can enforce that, nobody overwrites it."""


def may(role: Role, verb: Verb, folder: str) -> bool:
    """Whether the protocol asks `role` to do this below `folder`."""
    return verb in _GRANTS[role].get(folder, "").split()


def folders(role: Role, *verbs: Verb) -> tuple[str, ...]:
    """The parts of the queue in which the role may use one of the verbs; a single empty text for all of them."""
    found = tuple(folder for folder in FOLDERS if any(may(role, verb, folder) for verb in verbs))
    return ("",) if found == FOLDERS else found


def under(prefix: str) -> str:
    """A queue's prefix as its keys begin with it: empty, or ending in a slash."""
    return prefix.strip("/") + "/" if prefix.strip("/") else ""
