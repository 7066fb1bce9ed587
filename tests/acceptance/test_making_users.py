"""`gpujob init --create-users` on a real MinIO, and what it says where that cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from localstack.servers import Server

from gpujob.policies.roles import ROLES
from tests.acceptance.command_line import Done, Person
from tests.servers import minio, seaweedfs
from tests.sizing import only_at_full_size

__all__ = ["minio", "seaweedfs"]


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def variables(answer: str) -> dict[str, dict[str, str]]:
    """The blocks of variables by role, as a person would copy them."""
    found: dict[str, dict[str, str]] = {}
    for line in answer.splitlines():
        if line.startswith("# ") and ":" in line and line[2:].partition(":")[0] in ROLES:
            found[line[2:].partition(":")[0]] = role = {}
        elif "=" in line:
            name, _, value = line.partition("=")
            role[name] = value
    return found


def test_users_are_made_once_and_their_keys_are_said_once(minio: Server, person: Person) -> None:
    only_at_full_size("users of a queue, made twice and used")
    url = "s3://users-of-it/team/a"
    person.env |= minio.environment(url)
    refused = person.run("init", "--create-users")
    assert refused.code == 2 and "--yes" in refused.err, refused.err
    assert "Make 5 users and their policies on the MinIO server at" in refused.err
    assert person.run("ls").code == 3, "nothing was changed"

    made = person.run("init", "--create-users", "--yes")
    assert made.code == 0, made.err
    users = variables(made.out)
    assert set(users) == set(ROLES)
    secrets = [user["AWS_SECRET_ACCESS_KEY"] for user in users.values()]
    assert len(set(secrets)) == 5 and all(len(secret) == 40 for secret in secrets)
    assert all(user["AWS_ACCESS_KEY_ID"] == f"users-of-it-team-a-{role}" for role, user in users.items())
    assert not any(secret in made.err for secret in secrets)

    submitted = person.run("echo", "hello", "--no-wait", **users["submitter-without-cancel"])
    assert submitted.code == 0, submitted.err
    refused = person.run("cancel", submitted.lines[0], **users["submitter-without-cancel"])
    assert refused.code == 3 and "these credentials may not cancel jobs" in refused.err
    assert person.run("cancel", submitted.lines[0], **users["submitter"]).code == 0

    again = person.run("init", "--create-users", "--yes", "--json")
    assert again.code == 0, again.err
    (answer,) = again.objects
    assert [(one["role"], one["secret_key"]) for one in answer["users"]] == [(role, None) for role in ROLES]
    assert person.run("ls", **users["reader"]).code == 0, "its key still holds"
    assert not any(secret in again.out + again.err for secret in secrets)


def test_who_may_not_administer_the_server_is_told_who_may(minio: Server, person: Person) -> None:
    wrong = minio.environment("s3://users-nobody-made") | {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}
    person.env |= wrong
    done = person.run("init", "--create-users", "--yes")
    assert done.code == 3 and "may not administer the server at" in done.err
    assert "not-the-secret" not in done.err


def test_a_server_that_is_no_minio_is_said_before_anything_is_made(
    seaweedfs: Server,
    person: Person,
) -> None:
    person.env |= seaweedfs.environment("s3://users-of-none")
    assert_refused(person.run("init", "--create-users", "--yes"), "is no MinIO, so no users can be made")
    assert_refused(person.run("ls"), "users-of-none")
    folder = person.work / "queue"
    assert_refused(person.run("init", str(folder), "--create-users", "--yes"), "is no MinIO server")
    amazon = {"AWS_ENDPOINT_URL_S3": "https://s3.eu-west-1.amazonaws.com"}
    assert_refused(person.run("init", "--create-users", "--yes", **amazon), "is Amazon's")
    nowhere = person.run("init", "--create-users", "--yes", AWS_ENDPOINT_URL_S3="http://127.0.0.1:1")
    assert nowhere.code == 4 and "does not answer" in nowhere.err


def test_what_a_minio_refuses_is_not_called_the_refusal_of_another_server(
    minio: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpujob.errors import Configuration
    from gpujob.policies import minio_users

    users = minio_users.MinioUsers(minio.endpoint, minio_users.Keys(minio.access_key, minio.secret_key))
    with pytest.raises(Configuration, match=r"The MinIO server at .* refused this: .*access key length"):
        users.make("reader", "users-of-it", name="ab", secret_key="x" * 40)
    monkeypatch.setattr(minio_users, "policy", lambda *_, **__: {"Version": "yesterday"})
    with pytest.raises(Configuration, match=r"The MinIO server at .* refused this: .*invalid version"):
        users.make("reader", "users-of-it", secret_key=None)


def test_without_the_package_the_command_that_brings_it_is_named(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpujob.errors import Configuration
    from gpujob.policies.minio_users import Keys, MinioUsers

    monkeypatch.setitem(sys.modules, "minio", None)
    with pytest.raises(Configuration, match="package minio, which is not installed") as caught:
        MinioUsers("http://127.0.0.1:1", Keys("a", "b"))
    assert caught.value.hint == "pip install 'gpujob[minio]'"


def test_no_repr_shows_a_secret() -> None:
    from gpujob.policies.minio_users import Keys, MadeUser

    shown = repr([Keys("a", "s3cret"), MadeUser("worker", "a", "p", "s3cret")])
    assert "s3cret" not in shown and json.dumps(shown)


def assert_refused(done: Done, sentence: str) -> None:
    assert done.code == 3 and sentence in done.err, done.err
