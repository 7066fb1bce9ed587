"""What a store's own rules would do to a queue."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob_cli.examinations import google_store
from gpujob_cli.examinations.lifecycle_rules import dangers, old_versions_days, rules_of

RETENTION_S = 30 * 86400.0


def rule(prefix: str = "", **fields: Any) -> dict[str, Any]:
    return {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": prefix}, **fields}


def judged(*rows: dict[str, Any], queue: str = "team/") -> list[tuple[bool, str]]:
    return [(one.fatal, one.text) for one in dangers(rules_of({"Rules": list(rows)}), queue, RETENTION_S)]


@pytest.mark.parametrize(
    "prefix",
    [
        "team/pending/",
        "team/leased/",
        "team/done/",
        "team/unique/",
        "team/done/01",
        "team/queue.json",
        "team/",
        "t",
        "",
    ],
)
def test_a_rule_that_deletes_what_jobs_rest_on_is_fatal(prefix: str) -> None:
    ((fatal, text),) = judged(rule(prefix, Expiration={"Days": 3650}))
    assert fatal and "after 3650 days" in text and (repr(prefix) in text if prefix else "the whole bucket" in text)


@pytest.mark.parametrize(
    "prefix", ["other/", "team/cache/", "team/models/", "team/workers/", "team/probe/", "teams/", "pending/"]
)
def test_a_rule_for_something_else_is_harmless(prefix: str) -> None:
    assert judged(rule(prefix, Expiration={"Days": 1})) == []


def test_a_rule_on_a_date_counts_as_well() -> None:
    assert "on a date" in judged(rule("team/done/", Expiration={"Date": "2030-01-01"}))[0][1]


@pytest.mark.parametrize("place", ["inputs/sha256/", "inputs/", "artifacts/"])
def test_files_may_go_by_a_rule_only_after_the_retention(place: str) -> None:
    assert judged(rule(f"team/{place}", Expiration={"Days": 29}))[0][0] is True
    late = judged(rule(f"team/{place}", Expiration={"Days": 30}))
    assert [fatal for fatal, _ in late] == [False]


def test_old_versions_delete_markers_and_broken_uploads_may_be_left_to_the_store() -> None:
    assert (
        judged(
            rule(NoncurrentVersionExpiration={"NoncurrentDays": 1}),
            rule(Expiration={"ExpiredObjectDeleteMarker": True}),
            rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}),
        )
        == []
    )


def test_a_rule_that_is_off_or_for_tagged_objects_is_no_danger() -> None:
    assert judged(rule(Expiration={"Days": 1}) | {"Status": "Disabled"}) == []
    assert (
        judged(
            {"ID": "t", "Status": "Enabled", "Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 1}}
        )
        == []
    )
    both = {"And": {"Prefix": "team/", "Tags": [{"Key": "a", "Value": "b"}]}}
    assert judged({"ID": "t", "Status": "Enabled", "Filter": both, "Expiration": {"Days": 1}}) == []


@pytest.mark.parametrize(
    "where", [{"Prefix": "team/done/"}, {"Filter": {"And": {"Prefix": "team/done/", "ObjectSizeGreaterThan": 1}}}]
)
def test_every_way_to_write_a_prefix_is_read(where: dict[str, Any]) -> None:
    assert judged({"ID": "old", "Status": "Enabled", "Expiration": {"Days": 1}, **where})[0][0]


def test_an_archive_puts_results_to_sleep() -> None:
    assert judged(rule("team/", Transitions=[{"Days": 1, "StorageClass": "DEEP_ARCHIVE"}]))[0][0] is True
    assert judged(rule("team/", Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}]))[0][0] is False


def test_old_versions_end_only_if_a_rule_covers_the_whole_queue() -> None:
    def days(*prefixes: str) -> int | None:
        rows = [rule(one, NoncurrentVersionExpiration={"NoncurrentDays": len(one) + 1}) for one in prefixes]
        return old_versions_days(rules_of({"Rules": rows}), "team/")

    assert days() is None
    assert days("team/leased/") is None
    assert days("other/") is None
    assert days("team/", "") == 1


# -- Google's own words for rules, as the JSON API documents them


def of_google(kind: str = "Delete", **condition: Any) -> list[tuple[bool, str]]:
    rows = [{"action": {"type": kind, "storageClass": "COLDLINE"}, "condition": condition}]
    return [(one.fatal, one.text) for one in dangers(google_store.rules_of(rows), "team/", RETENTION_S)]


@pytest.mark.parametrize(
    ("condition", "fatal"),
    [
        ({"age": 30}, [True]),
        ({"age": 30, "isLive": True}, [True]),
        ({"createdBefore": "2030-01-01"}, [True]),
        ({"age": 30, "matchesPrefix": ["other/", "team/done/"]}, [True]),
        ({"age": 30, "matchesPrefix": ["other/"]}, []),
        ({"age": 1, "matchesPrefix": ["team/artifacts/"]}, [True]),
        ({"age": 90, "matchesPrefix": ["team/artifacts/"]}, [False]),
        ({"daysSinceNoncurrentTime": 1}, []),
        ({"age": 1, "isLive": False}, []),
        ({"numNewerVersions": 3}, []),
        ({"daysSinceCustomTime": 1}, []),
    ],
)
def test_a_rule_in_googles_words(condition: dict[str, Any], fatal: list[bool]) -> None:
    assert [one for one, _ in of_google(**condition)] == fatal


def test_googles_other_actions() -> None:
    assert [fatal for fatal, _ in of_google("SetStorageClass", age=1)] == [False]
    assert of_google("AbortIncompleteMultipartUpload", age=1) == []
