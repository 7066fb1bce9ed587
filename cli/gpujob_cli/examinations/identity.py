"""Whom the store takes us for, where it says so: AWS through STS, MinIO through its own interface for accounts.

Invariant: being refused or getting no answer is a note at worst; the root of an account is always named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.httpsession import URLLib3Session

from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.policy_width import allowing, listed
from gpujob_cli.examinations.s3_asking import QUICK, Answer, S3Asking, ask

NARROWER = "`gpujob init URL --policies` prints what each role needs: give workers and submitters no more"
ACCOUNT_INFO = "/minio/admin/v3/accountinfo"
LARGEST_ANSWER = 4 * 1024 * 1024


def look(asking: S3Asking) -> Iterator[Finding]:
    """The caller's identity, on AWS and on MinIO."""
    if asking.is_amazon:
        yield of_caller(ask(lambda: sts(asking).get_caller_identity()))
        return
    account = minio_account(asking)
    if account:
        yield of_account(account)


def sts(asking: S3Asking) -> Any:
    """A client for AWS's own word on who is calling."""
    settings = Config(
        connect_timeout=QUICK.connect_s,
        read_timeout=QUICK.read_s,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    region = asking.client.meta.region_name
    return asking.clients.session.client(
        "sts", region_name="us-east-1" if region == "aws-global" else region, config=settings
    )


def of_caller(answer: Answer) -> Finding:
    """STS's answer. An account's root and a user alike are named by their ARN."""
    if not answer.given:
        return Finding("identity", "note", f"AWS did not say who this is ({answer.code})", facts={"code": answer.code})
    arn = str(answer.value.get("Arn", ""))
    facts = {"arn": arn, "account": str(answer.value.get("Account", "")), "root": arn.endswith(":root")}
    if facts["root"]:
        text = f"{arn}: the root of the account, who may do everything in it"
        return Finding("identity", "note", text, f"make a user or a role of its own; {NARROWER}", facts=facts)
    return Finding("identity", "ok", arn, facts=facts)


def of_account(account: Mapping[str, Any]) -> Finding:
    """MinIO's answer: the account, and whether its policy makes it an administrator. How wide it is else, `rights` says."""
    name = str(account.get("AccountName", ""))[:100]
    administers = any("admin:*" in listed(one, "Action") for one in allowing(account.get("Policy")))
    facts = {"account": name, "root": administers}
    if administers:
        text = f"{name}: an administrator of this MinIO, its root or as good as that"
        return Finding("identity", "note", text, f"make users of their own; {NARROWER}", facts=facts)
    return Finding("identity", "ok", f"{name}, a user of this MinIO", facts=facts)


def minio_account(asking: S3Asking) -> Mapping[str, Any]:
    """What MinIO says of the account that asks; empty where it does not, and where the server is no MinIO."""
    if "minio" not in asking.server.lower():
        return {}
    found: Any = asking.clients.session.get_credentials()
    if found is None:
        return {}
    request = AWSRequest(
        "GET", asking.place.endpoint + ACCOUNT_INFO, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    )
    region = asking.client.meta.region_name
    S3SigV4Auth(found, "s3", "us-east-1" if region == "aws-global" else region).add_auth(request)
    web = URLLib3Session(timeout=(QUICK.connect_s, QUICK.read_s))  # type: ignore[arg-type]  # a pair is what it takes
    answer = ask(lambda: {"body": _body(web.send(request.prepare()))})
    return account_in(answer.value.get("body", b""))


def account_in(body: bytes) -> Mapping[str, Any]:
    """The account in MinIO's answer; empty where there is none."""
    try:
        account = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return account if isinstance(account, dict) and "AccountName" in account else {}


def _body(answer: Any) -> bytes:
    body: bytes = answer.content
    return body if answer.status_code == 200 and len(body) <= LARGEST_ANSWER else b""
