"""Where requests go: style, region and encryption, for endpoints that cannot be had here too."""

from __future__ import annotations

import boto3.session
import pytest

from gpujob.buckets.s3_client import S3Clients
from gpujob.buckets.s3_place import S3Place
from gpujob.clock import SYSTEM
from gpujob_cli.examinations import reaching
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.s3_asking import Answer, S3Asking


def endpoint(address: str | None, name: str = "jobs", region: str = "eu-west-1", **headers: str) -> Finding:
    """The finding on an endpoint whose answer to HEAD has these headers."""
    session = boto3.session.Session("key", "secret", region_name=region)
    asking = S3Asking(S3Place(S3Clients(SYSTEM, session=session, endpoint_url=address), name, "q"))
    asking.__dict__["heading"] = Answer(
        "given", headers={name.replace("_", "-"): text for name, text in headers.items()}
    )
    (found,) = reaching.endpoint(asking)
    return found


def test_amazon_is_virtual_style_with_tls() -> None:
    found = endpoint(None, server="AmazonS3", x_amz_bucket_region="eu-west-1")
    assert (found.status, found.facts["style"], found.facts["server"]) == ("ok", "virtual", "AmazonS3")
    assert found.text == "https://s3.eu-west-1.amazonaws.com, AmazonS3, region eu-west-1, virtual style, TLS"


def test_a_bucket_with_dots_is_path_style_on_amazon_too() -> None:
    assert endpoint(None, "my.jobs").facts["style"] == "path"


def test_another_region_is_named_with_the_variable() -> None:
    found = endpoint(None, x_amz_bucket_region="us-west-2")
    assert (found.status, found.next) == ("note", "set AWS_DEFAULT_REGION=us-west-2")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("http://127.0.0.1:9000", "ok"),
        ("http://localhost:9000", "ok"),
        ("http://minio.lab:9000", "note"),
        ("https://minio.lab:9000", "ok"),
    ],
)
def test_plain_http_is_noted_unless_it_stays_on_this_machine(address: str, status: str) -> None:
    found = endpoint(address)
    assert (found.status, found.facts["style"]) == (status, "path")
    assert ("can read all texts" in found.text) is (status == "note")


def test_a_password_in_an_endpoint_is_not_shown() -> None:
    found = endpoint("http://user:hunter2@minio.lab:9000")
    assert "hunter2" not in repr(found.as_dict())
