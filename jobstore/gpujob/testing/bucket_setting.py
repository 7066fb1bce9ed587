"""What the parts of the bucket contract share: the back door, and the attributes that a backend may set."""

from __future__ import annotations

from typing import Protocol


class BackDoor(Protocol):
    """Reads and writes the place behind a bucket without using that bucket."""

    def raw_get(self, key: str) -> bytes | None: ...
    def raw_put(self, key: str, body: bytes) -> None: ...
    def raw_keys(self) -> list[str]: ...


class ContractSetting:
    """Attributes of the contract; a subclass sets what differs for its backend."""

    rounds: int = 200
    """Rounds of each race."""
    racers: int = 16
    """Contenders of each race."""
    many_keys: int = 2500
    """Keys in the paging test; more than two pages."""
    big_bytes: int = 3_000_000
    """Size of the file that is uploaded and downloaded."""
    equal_bodies_get_new_versions: bool = True
    """False where the version is a hash of the body (an S3 ETag): the protocol never writes one body twice."""
    keys_may_nest: bool = True
    """False where `a` and `a/b` cannot both be keys; the protocol never needs that."""
    deletes_are_atomic: bool = True
    """False where a replace may bring back an object that is deleted at the same moment; the protocol survives it."""
    deletes_are_sent_once: bool = True
    """False where a delete whose answer was lost is sent again: it may then remove two objects, one after the other."""
