"""The bucket contract, part one: each verb by itself, on absent and on present objects."""

from __future__ import annotations

import pytest

from gpujob.buckets.base import Bucket
from gpujob.errors import PreconditionFailed
from gpujob.testing.bucket_setting import BackDoor, ContractSetting

KEY = "leased/01jd3k8v9x2m4n6p8q0r2s4t6v.json"
FIRST, SECOND, THIRD = b'{"beat": 1}', b'{"beat": 2}', b'{"beat": 3}'


class VerbContract(ContractSetting):
    """get, head, delete, create and replace."""

    def test_a_bucket_is_a_bucket(self, bucket: Bucket) -> None:
        assert isinstance(bucket, Bucket)
        assert "://" in bucket.url

    def test_an_absent_object_is_none(self, bucket: Bucket) -> None:
        assert bucket.get(KEY) is None
        assert bucket.head(KEY) is None

    def test_create_writes_the_object(self, bucket: Bucket, back_door: BackDoor) -> None:
        version = bucket.create(KEY, FIRST)
        assert back_door.raw_get(KEY) == FIRST
        assert back_door.raw_keys() == [KEY]
        found, head = bucket.get(KEY), bucket.head(KEY)
        assert found is not None and head is not None
        assert (found.body, found.version, found.size_bytes) == (FIRST, version, len(FIRST))
        assert (head.version, head.size_bytes) == (version, len(FIRST))

    def test_what_somebody_else_wrote_is_read(self, bucket: Bucket, back_door: BackDoor) -> None:
        back_door.raw_put(KEY, FIRST)
        found = bucket.get(KEY)
        assert found is not None and found.body == FIRST

    def test_create_over_an_object_changes_nothing(self, bucket: Bucket, back_door: BackDoor) -> None:
        version = bucket.create(KEY, FIRST)
        with pytest.raises(PreconditionFailed):
            bucket.create(KEY, SECOND)
        assert back_door.raw_get(KEY) == FIRST
        head = bucket.head(KEY)
        assert head is not None and head.version == version

    def test_create_refuses_its_own_body_too(self, bucket: Bucket) -> None:
        bucket.create(KEY, FIRST)
        with pytest.raises(PreconditionFailed):
            bucket.create(KEY, FIRST)

    def test_create_over_what_somebody_else_wrote_is_refused(self, bucket: Bucket, back_door: BackDoor) -> None:
        back_door.raw_put(KEY, FIRST)
        with pytest.raises(PreconditionFailed):
            bucket.create(KEY, SECOND)
        assert back_door.raw_get(KEY) == FIRST

    def test_create_after_delete_works(self, bucket: Bucket, back_door: BackDoor) -> None:
        old = bucket.create(KEY, FIRST)
        bucket.delete(KEY)
        assert bucket.create(KEY, SECOND) != old
        assert back_door.raw_get(KEY) == SECOND

    def test_replace_of_the_current_version(self, bucket: Bucket, back_door: BackDoor) -> None:
        old = bucket.create(KEY, FIRST)
        new = bucket.replace(KEY, SECOND, old)
        assert new != old
        assert back_door.raw_get(KEY) == SECOND
        found = bucket.get(KEY)
        assert found is not None and (found.version, found.body) == (new, SECOND)
        assert bucket.replace(KEY, THIRD, new) not in (old, new)
        assert back_door.raw_get(KEY) == THIRD

    def test_versions_of_get_head_and_create_all_serve_a_replace(self, bucket: Bucket) -> None:
        version = bucket.create(KEY, b"0")
        for number in range(1, 4):
            version = bucket.replace(KEY, b"%d" % number, version)
            found = bucket.get(KEY)
            assert found is not None
            version = bucket.replace(KEY, b"%d again" % number, found.version)
            head = bucket.head(KEY)
            assert head is not None and head.version == version

    def test_replace_of_a_stale_version_changes_nothing(self, bucket: Bucket, back_door: BackDoor) -> None:
        old = bucket.create(KEY, FIRST)
        new = bucket.replace(KEY, SECOND, old)
        with pytest.raises(PreconditionFailed):
            bucket.replace(KEY, THIRD, old)
        assert back_door.raw_get(KEY) == SECOND
        head = bucket.head(KEY)
        assert head is not None and head.version == new

    def test_replace_of_a_missing_object_creates_nothing(self, bucket: Bucket, back_door: BackDoor) -> None:
        version = bucket.create(KEY, FIRST)
        with pytest.raises(PreconditionFailed):
            bucket.replace("leased/other.json", SECOND, version)
        bucket.delete(KEY)
        with pytest.raises(PreconditionFailed):
            bucket.replace(KEY, SECOND, version)
        assert back_door.raw_keys() == []

    def test_a_version_from_before_a_delete_is_stale(self, bucket: Bucket, back_door: BackDoor) -> None:
        old = bucket.create(KEY, FIRST)
        bucket.delete(KEY)
        bucket.create(KEY, SECOND)
        with pytest.raises(PreconditionFailed):
            bucket.replace(KEY, THIRD, old)
        assert back_door.raw_get(KEY) == SECOND

    def test_equal_bodies_get_different_versions(self, bucket: Bucket) -> None:
        if not self.equal_bodies_get_new_versions:
            pytest.skip("this store's version is a hash of the body")
        versions = [bucket.create(KEY, FIRST)]
        versions.append(bucket.replace(KEY, FIRST, versions[-1]))
        bucket.delete(KEY)
        versions.append(bucket.create(KEY, FIRST))
        assert len(set(versions)) == 3
        with pytest.raises(PreconditionFailed):
            bucket.replace(KEY, SECOND, versions[0])

    def test_delete_removes_the_object(self, bucket: Bucket, back_door: BackDoor) -> None:
        bucket.create(KEY, FIRST)
        bucket.create(KEY + ".more", SECOND)
        bucket.delete(KEY)
        assert bucket.get(KEY) is None and bucket.head(KEY) is None
        assert back_door.raw_keys() == [KEY + ".more"]

    def test_delete_of_a_missing_object_is_no_error(self, bucket: Bucket) -> None:
        bucket.delete(KEY)
        bucket.create(KEY, FIRST)
        bucket.delete(KEY)
        bucket.delete(KEY)
        assert bucket.head(KEY) is None

    @pytest.mark.parametrize(
        "body", [b"", b"\0", b"\r\n\xff\xfe", bytes(range(256)) * 1024], ids=["0", "1", "4", "256K"]
    )
    def test_any_bytes_come_back_as_they_were(self, bucket: Bucket, back_door: BackDoor, body: bytes) -> None:
        version = bucket.create(KEY, body)
        assert back_door.raw_get(KEY) == body
        bucket.replace(KEY, body + b".", version)
        found = bucket.get(KEY)
        assert found is not None and found.body == body + b"." and found.size_bytes == len(body) + 1

    def test_max_bytes_cuts_the_body_but_not_the_size(self, bucket: Bucket) -> None:
        bucket.create(KEY, b"0123456789")
        for max_bytes, body in ((0, b"0"), (4, b"01234"), (9, b"0123456789"), (10, b"0123456789"), (99, b"0123456789")):
            found = bucket.get(KEY, max_bytes=max_bytes)
            assert found is not None and (found.body, found.size_bytes) == (body, 10)

    def test_max_bytes_of_an_empty_object(self, bucket: Bucket) -> None:
        bucket.create(KEY, b"")
        found = bucket.get(KEY, max_bytes=4)
        assert found is not None and (found.body, found.size_bytes) == (b"", 0)

    def test_dates_come_from_one_clock(self, bucket: Bucket) -> None:
        version = bucket.create(KEY, FIRST)
        first = bucket.head(KEY)
        bucket.replace(KEY, SECOND, version)
        found, head, listing = bucket.get(KEY), bucket.head(KEY), bucket.list("leased/")
        assert first is not None and found is not None and head is not None
        for moment in (first, found, head):
            assert moment.date >= moment.last_modified - 1
        assert listing.date >= listing.entries[0].last_modified - 1
        assert head.last_modified >= first.last_modified - 1
        assert abs(listing.entries[0].last_modified - head.last_modified) <= 1
        assert listing.date >= first.date - 1
