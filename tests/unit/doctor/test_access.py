"""Who may do too much: bucket policies, access lists, identities, and what can be seen beside the queue."""

from __future__ import annotations

import json
from typing import Any

import boto3.session
import pytest
from botocore.stub import Stubber

from gpujob.policies.roles import ROLES
from gpujob.policies.s3 import policy as policy_of
from gpujob_cli.examinations import identity, public_access, rights
from gpujob_cli.examinations.policy_width import allowing, beyond
from gpujob_cli.examinations.public_access import open_statements
from gpujob_cli.examinations.rights import Reach, of_reach
from gpujob_cli.examinations.s3_asking import ask


def policy(**fields: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*",
        **fields,
    }
    return json.dumps({"Statement": [{name: value for name, value in statement.items() if value is not None}]})


@pytest.mark.parametrize(
    ("fields", "opened"),
    [
        ({}, [("s3:GetObject", False)]),
        (
            {"Principal": {"AWS": "*"}, "Action": ["s3:GetObject", "s3:PutObject"]},
            [("s3:GetObject, s3:PutObject", False)],
        ),
        ({"Principal": {"AWS": ["arn:aws:iam::1:user/a", "*"]}}, [("s3:GetObject", False)]),
        ({"Principal": None, "NotPrincipal": {"AWS": "arn:aws:iam::1:user/a"}}, [("s3:GetObject", False)]),
        ({"Action": None, "NotAction": "s3:DeleteObject"}, [("everything that it does not list", False)]),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, [("s3:GetObject", True)]),
        ({"Resource": "*"}, [("s3:GetObject", False)]),
        ({"Resource": ["arn:aws:s3:::b/q/done/*"]}, [("s3:GetObject", False)]),
        ({"Resource": "arn:aws:s3:::b/public/*"}, []),
        ({"Resource": "arn:aws:s3:::other/*"}, []),
        ({"Principal": {"AWS": "arn:aws:iam::1:root"}}, []),
        ({"Principal": {"Service": "logging.s3.amazonaws.com"}}, []),
        ({"Effect": "Deny"}, []),
    ],
)
def test_a_policy_that_opens_the_queue_to_everybody_is_seen(fields: dict[str, Any], opened: list[Any]) -> None:
    assert open_statements(policy(**fields), "b", "q/") == opened


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"Statement": "x"}', '{"Statement": [1]}', "null", '{"Statement": null}']
)
def test_a_policy_that_is_none_opens_nothing(text: str) -> None:
    assert open_statements(text, "b", "q/") == []


class Stubbed:
    """What `public_access` needs of an asking, over botocore's stubbed answers."""

    name, prefix, on_loopback = "b", "q/", False

    def __init__(self) -> None:
        session = boto3.session.Session("key", "secret", region_name="us-east-1")
        self.client, self.anonymous = session.client("s3"), session.client("s3")
        self.signed, self.unsigned = Stubber(self.client), Stubber(self.anonymous)

    ask = staticmethod(ask)

    def looked(self) -> list[tuple[str, str]]:
        with self.signed, self.unsigned:
            return [(one.status, one.text) for one in public_access.look(self)]  # type: ignore[arg-type]


@pytest.fixture
def stubbed() -> Stubbed:
    stubbed = Stubbed()
    stubbed.signed.add_client_error("get_bucket_policy", "NoSuchBucketPolicy", http_status_code=404)
    return stubbed


@pytest.mark.parametrize("who", ["AllUsers", "AuthenticatedUsers"])
def test_an_access_list_that_names_everybody_is_broken(stubbed: Stubbed, who: str) -> None:
    grantee = {"Type": "Group", "URI": f"http://acs.amazonaws.com/groups/global/{who}"}
    stubbed.signed.add_response("get_bucket_acl", {"Grants": [{"Grantee": grantee, "Permission": "READ"}]})
    assert stubbed.looked() == [("broken", f"the bucket's access list gives {who} READ")]


@pytest.mark.parametrize(("loopback", "status"), [(False, "broken"), (True, "note")])
def test_a_store_that_asks_nobody_who_they_are(stubbed: Stubbed, loopback: bool, status: str) -> None:
    stubbed.on_loopback = loopback
    stubbed.signed.add_client_error("get_bucket_acl", "AccessDenied", http_status_code=403)
    stubbed.unsigned.add_client_error("head_object", "404", http_status_code=404)
    stubbed.unsigned.add_response("list_objects_v2", {"IsTruncated": False})
    ((seen, text),) = stubbed.looked()
    assert seen == status and text.startswith("objects can be read and the queue can be listed without any credentials")


def test_a_refusal_of_everybody_is_well(stubbed: Stubbed) -> None:
    stubbed.signed.add_response("get_bucket_acl", {"Grants": []})
    for question in ("head_object", "list_objects_v2"):
        stubbed.unsigned.add_client_error(question, "AccessDenied", http_status_code=403)
    assert [status for status, _ in stubbed.looked()] == ["ok"]


def test_no_clear_answer_is_not_taken_for_a_refusal(stubbed: Stubbed) -> None:
    stubbed.signed.add_response("get_bucket_acl", {"Grants": []})
    stubbed.unsigned.add_client_error("head_object", "503", http_status_code=503)
    stubbed.unsigned.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)
    assert [status for status, _ in stubbed.looked()] == ["note"]


# -- identity: AWS's answers are botocore's stubs, since there is no AWS here


@pytest.mark.parametrize(
    ("arn", "status", "root"),
    [
        ("arn:aws:iam::123456789012:root", "note", True),
        ("arn:aws:iam::123456789012:user/worker", "ok", False),
        ("arn:aws:sts::123456789012:assumed-role/gpujob-worker/i-1", "ok", False),
    ],
)
def test_the_caller_on_aws_is_named(arn: str, status: str, root: bool) -> None:
    client = boto3.session.Session("key", "secret", region_name="us-east-1").client("sts")
    with Stubber(client) as stub:
        stub.add_response("get_caller_identity", {"Arn": arn, "Account": "123456789012", "UserId": "x"})
        found = identity.of_caller(ask(client.get_caller_identity))
    assert (found.status, found.facts["root"]) == (status, root)
    assert arn in found.text and ("--policies" in found.next) is root


def test_an_aws_that_does_not_say_who_this_is_is_a_note() -> None:
    client = boto3.session.Session("key", "secret", region_name="us-east-1").client("sts")
    with Stubber(client) as stub:
        stub.add_client_error("get_caller_identity", "ExpiredToken", http_status_code=403)
        found = identity.of_caller(ask(client.get_caller_identity))
    assert found.status == "note" and "ExpiredToken" in found.text


@pytest.mark.parametrize(
    ("account", "root"),
    [
        ({"AccountName": "a", "Policy": {"Statement": [{"Effect": "Allow", "Action": ["admin:*"]}]}}, True),
        ({"AccountName": "a", "Policy": {"Statement": {"Effect": "Allow", "Action": "admin:*"}}}, True),
        ({"AccountName": "a", "Policy": {"Statement": [{"Effect": "Allow", "Action": ["s3:*"]}]}}, False),
        ({"AccountName": "a", "Policy": "?"}, False),
    ],
)
def test_an_administrator_of_minio_is_noted(account: dict[str, Any], root: bool) -> None:
    found = identity.of_account(account)
    assert (found.status == "note", found.facts["root"]) == (root, root)


# -- what a policy allows beyond the queue


def may(action: str | list[str], resource: str | list[str], **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, **more}]}


EVERYTHING = may(["s3:*"], ["arn:aws:s3:::*"])
"""MinIO's built-in `readwrite`."""


@pytest.mark.parametrize(
    ("document", "prefix", "said"),
    [
        (EVERYTHING, "", ["s3:* on every bucket"]),
        (EVERYTHING, "q/", ["s3:* on every bucket"]),
        (may("*", "*"), "", ["* on every bucket"]),
        (may(["s3:GetBucketLocation", "s3:GetObject"], ["arn:aws:s3:::*"]), "", ["s3:GetObject on every bucket"]),
        (may("s3:*", ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]), "", ["s3:* on b, b/*"]),
        (may("s3:PutBucketPolicy", "arn:aws:s3:::b"), "", ["s3:PutBucketPolicy on b"]),
        (may(["s3:Delete*", "s3:GetObject"], "arn:aws:s3:::b/*"), "", ["s3:Delete* on b/*"]),
        (may("s3:P*", "arn:aws:s3:::b/*"), "", ["s3:P* on b/*"]),
        (may("s3:PutObject", "arn:aws:s3:::b*"), "", ["s3:PutObject on b*"]),
        (may("s3:PutObject", ["arn:aws:s3:::b/*"]), "q/", ["s3:PutObject on b/*"]),
        (may("s3:ListBucket", "arn:aws:s3:::other"), "", ["s3:ListBucket on other"]),
        ({"Statement": [{"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}]}, "", ["* on every bucket"]),
        (
            {"Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "NotResource": "x"}]},
            "",
            ["s3:PutObject on every bucket"],
        ),
        (may("s3:GetObject", "arn:aws:s3:::b/q/*"), "q/", []),
        (may("s3:ListAllMyBuckets", "arn:aws:s3:::*"), "", []),
        (may("s3:ListBucket", "arn:aws:s3:::*", Condition={"StringLike": {"s3:prefix": "q/*"}}), "q/", []),
        (may("s3:PutObject", []), "", []),
        ({"Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}, "", []),
    ],
)
def test_a_policy_that_was_too_wide_was_ok(document: dict[str, Any], prefix: str, said: list[str]) -> None:
    assert beyond(allowing(document), "b", prefix) == said


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("prefix", ["", "team/a"])
def test_no_policy_that_gpujob_prints_is_too_wide(role: Any, prefix: str) -> None:
    for dialect in ("aws", "minio"):
        document = policy_of(role, "b", prefix, dialect=dialect)  # type: ignore[arg-type]
        assert beyond(allowing(document), "b", prefix) == []


@pytest.mark.parametrize(
    "document", [None, [], "x", {"Statement": 7}, {"Statement": [7, {"Effect": "Allow", "Action": 7}]}]
)
def test_what_is_no_policy_allows_nothing(document: Any) -> None:
    assert beyond(allowing(document), "b", "") == []


# -- what can be seen beside the queue


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        (Reach(other_buckets=1), "see 1 other bucket:"),
        (Reach(other_buckets=3, reads_beside=True), "see 3 other buckets, read what is beside the queue:"),
        (Reach(lists_beside=True), "list what is beside the queue:"),
    ],
)
def test_credentials_that_see_more_than_a_role_needs_are_noted(reach: Reach, said: str) -> None:
    found = of_reach(reach)
    assert found.status == "note" and said in found.text and "--policies" in found.next


def test_a_wide_policy_is_noted_where_nothing_else_is_in_the_store() -> None:
    found = of_reach(Reach(), ["s3:* on every bucket"])
    assert found.status == "note" and "may do s3:* on every bucket:" in found.text and "--policies" in found.next


def test_a_queue_that_fills_its_bucket_was_ok_without_a_look() -> None:
    found = of_reach(Reach())
    assert found.status == "note" and found.text.startswith("not known") and "--policies" in found.next
    assert of_reach(Reach(refused=True)).status == of_reach(Reach(), []).status == "ok"


def test_on_aws_every_role_may_list_the_whole_bucket() -> None:
    assert of_reach(Reach(lists_beside=True, refused=True), amazon=True).status == "ok"
    assert of_reach(Reach(reads_beside=True), amazon=True).status == "note"


def test_what_is_beside_is_looked_for_before_and_behind_the_queue() -> None:
    stubbed = Stubbed()
    stubbed.signed.add_response("list_buckets", {"Buckets": [{"Name": "b"}, {"Name": "c"}]})
    own = {"IsTruncated": True, "Contents": [{"Key": "q/queue.json"}]}
    stubbed.signed.add_response("list_objects_v2", own, {"Bucket": "b", "MaxKeys": 1})
    behind = {"IsTruncated": False, "Contents": [{"Key": "r/secret"}]}
    stubbed.signed.add_response("list_objects_v2", behind, {"Bucket": "b", "MaxKeys": 1, "StartAfter": "q0"})
    stubbed.signed.add_response("head_object", {}, {"Bucket": "b", "Key": "r/secret"})
    with stubbed.signed:
        assert rights.reach(stubbed) == Reach(1, True, True)  # type: ignore[arg-type]
    stubbed.signed.assert_no_pending_responses()
