"""The bucket contract, part two: listings. Order is the byte order of whole keys; pages chain by `after`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gpujob.buckets.base import PAGE, Bucket
from gpujob.testing.bucket_setting import BackDoor, ContractSetting

ID = "01jd3k8v9x2m4n6p8q0r2s4t6v"
KEYS_OF_EVERY_KIND = [
    f"pending/5/{ID}.tts.narrate.json",
    f"pending/1/{ID}.echo.json",
    f"leased/{ID}.json",
    f"done/{ID}.json",
    "unique/episode-12_final.v2.json",
    f"artifacts/{ID}/1-0123456789abcdef0123456789abcdef/audio/step-intro.wav",
    f"artifacts/{ID}/10-0123456789abcdef0123456789abcdef/log/0001.txt",
    "inputs/sha256/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "workers/Host-7.local_2.json",
    "models/Kokoro-v1.0_int8.onnx",
    "queue.json",
    "probe/0a/x",
]
# Keys whose order differs between folders and whole keys: '-' and '.' sort before '/', digits and letters after it.
TRICKY = ["a-b", "a-c/d", "a.b", "a/0", "a/b", "a/b.c", "a/b0", "a0", "aa", "b/c/d/e", "b/c/d0", "b/c0/d", "b0", "z"]


def names(bucket: Bucket, prefix: str, after: str = "", limit: int = PAGE) -> list[str]:
    """The keys of one page."""
    return [entry.key for entry in bucket.list(prefix, after=after, limit=limit).entries]


class ListingContract(ContractSetting):
    """list: order, prefixes, pages."""

    def test_an_empty_bucket_lists_nothing(self, bucket: Bucket) -> None:
        for prefix in ("", "pending/", "a"):
            listing = bucket.list(prefix)
            assert (listing.entries, listing.truncated) == ((), False)
            assert listing.date > 0 or listing.date == bucket.list(prefix).date

    def test_every_character_that_keys_use(self, bucket: Bucket, back_door: BackDoor) -> None:
        for number, key in enumerate(KEYS_OF_EVERY_KIND):
            bucket.create(key, b"%d" % number)
        assert names(bucket, "") == sorted(KEYS_OF_EVERY_KIND)
        assert sorted(back_door.raw_keys()) == sorted(KEYS_OF_EVERY_KIND)
        for number, key in enumerate(KEYS_OF_EVERY_KIND):
            assert back_door.raw_get(key) == b"%d" % number
            assert names(bucket, key) == [key]

    def test_entries_say_what_head_says(self, bucket: Bucket) -> None:
        bucket.create("leased/a.json", b"12345")
        version = bucket.create("leased/b.json", b"")
        one, two = bucket.list("leased/").entries
        assert (one.key, one.size_bytes, two.key, two.size_bytes) == ("leased/a.json", 5, "leased/b.json", 0)
        assert two.version == version
        bucket.replace(one.key, b"by the listing's version", one.version)
        head = bucket.head(one.key)
        (entry,) = bucket.list("leased/a").entries
        assert head is not None and (entry.version, entry.size_bytes) == (head.version, head.size_bytes)

    def test_order_is_that_of_whole_keys(self, bucket: Bucket) -> None:
        for key in reversed(TRICKY):
            bucket.create(key, key.encode())
        assert names(bucket, "") == TRICKY

    @pytest.mark.parametrize(
        "prefix", ["", "a", "a-", "a/", "a/b", "a/b.", "b", "b/", "b/c", "b/c/", "b/c/d", "z", "zz", "c/"]
    )
    def test_a_prefix_is_any_beginning_of_a_key(self, bucket: Bucket, prefix: str) -> None:
        for key in TRICKY:
            bucket.create(key, key.encode())
        assert names(bucket, prefix) == [key for key in TRICKY if key.startswith(prefix)]

    @pytest.mark.parametrize("prefix", ["", "a", "a/", "b/c"])
    def test_after_leaves_out_all_keys_up_to_it(self, bucket: Bucket, prefix: str) -> None:
        for key in TRICKY:
            bucket.create(key, key.encode())
        for after in [
            "a",
            "a-b",
            "a/",
            "a/b",
            "a/b.",
            "a/b/0",
            "a/zzz",
            "b",
            "b/c",
            "b/c/d/e",
            "b/c0/d",
            "z",
            "zz",
            *TRICKY,
        ]:
            expected = [key for key in TRICKY if key.startswith(prefix) and key > after]
            assert names(bucket, prefix, after) == expected, f"after {after}"

    def test_pages_of_every_size_chain_without_gap_or_repeat(self, bucket: Bucket) -> None:
        for key in TRICKY:
            bucket.create(key, key.encode())
        for limit in (1, 2, 3, len(TRICKY) - 1, len(TRICKY), len(TRICKY) + 1):
            assert self._all(bucket, "", limit) == TRICKY
        assert not bucket.list("", limit=len(TRICKY)).truncated
        assert bucket.list("", limit=len(TRICKY) - 1).truncated
        assert not bucket.list("a/", limit=3 + 1).truncated

    def test_a_key_may_begin_another_with_a_slash(self, bucket: Bucket, back_door: BackDoor) -> None:
        if not self.keys_may_nest:
            pytest.skip("this store cannot hold both a and a/b")
        nested = ["a", "a!", "a/b", "a/b/c", "a0"]
        for key in ["a/b/c", "a", "a0", "a/b", "a!"]:
            bucket.create(key, key.encode())
        assert names(bucket, "") == nested
        bucket.delete("a")
        assert names(bucket, "a") == nested[1:] and back_door.raw_get("a/b/c") == b"a/b/c"

    def test_thousands_of_keys_come_in_pages(self, bucket: Bucket) -> None:
        keys = [f"pending/5/{number * 7919 % 1_000_003:026d}.echo.json" for number in range(self.many_keys)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda key: bucket.create(key, key.encode()), keys))
        keys.sort()
        first = bucket.list("pending/5/")
        assert [entry.key for entry in first.entries] == keys[:PAGE]
        assert first.truncated
        assert self._all(bucket, "pending/5/", PAGE) == keys
        assert self._all(bucket, "pending/5/", PAGE + 500) == keys, "a larger limit must not lose keys"
        assert names(bucket, "pending/5/", after=keys[-3]) == keys[-2:]

    def _all(self, bucket: Bucket, prefix: str, limit: int) -> list[str]:
        found: list[str] = []
        while True:
            listing = bucket.list(prefix, after=found[-1] if found else "", limit=limit)
            assert len(listing.entries) <= min(limit, PAGE)
            page = [entry.key for entry in listing.entries]
            assert not found or not page or page[0] > found[-1], "a page repeats keys of the one before"
            found += page
            if not listing.truncated:
                return found
            assert listing.entries, "a page that is truncated holds something"

    def test_a_listing_shows_writes_and_deletes_at_once(self, bucket: Bucket) -> None:
        bucket.create("done/a.json", b"1")
        bucket.create("done/b.json", b"2")
        assert names(bucket, "done/") == ["done/a.json", "done/b.json"]
        bucket.delete("done/a.json")
        assert names(bucket, "done/") == ["done/b.json"]
        bucket.create("done/0.json", b"3")
        assert names(bucket, "done/") == ["done/0.json", "done/b.json"]
