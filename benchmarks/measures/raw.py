"""The raw rate of each verb: one client, one request after the other, through the same bucket class that gpujob uses.

Against nothing: these are the rates that everything else is compared with. The bodies are an echo job's manifest; LIST
returns one page that holds all of the objects.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.figures import Row
from benchmarks.places import Place
from benchmarks.sample import RawJob
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import seconds_for_each
from gpujob.buckets.opening import open_bucket

LISTS = 10  # the objects for each LIST: one of them costs as much as several other requests


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """A row for each verb."""
    bucket = open_bucket(place.queue("raw"))
    body = RawJob().pending
    keys = [f"raw/{number:06}" for number in range(sizes.raw_requests)]
    pages = ["raw/"] * max(1, len(keys) // LISTS)

    def rate(what: str, request: Callable[[str], object], things: list[str], detail: str = "") -> Row:
        return Row(f"raw {what}", len(things) / seconds_for_each(request, things), "/s", detail=detail)

    return [
        rate("PUT if absent", lambda key: bucket.create(key, body), keys, f"{len(body)} bytes"),
        rate("GET", bucket.get, keys),
        rate("HEAD", bucket.head, keys),
        rate("LIST", bucket.list, pages, f"{len(keys)} keys"),
        rate("DELETE", bucket.delete, keys),
    ]
