"""Looks for secrets where none may be: in files, in the objects of a bucket, in what programs said.

Invariant: of what tests write, a folder of the name ALLOWED is passed over, and only that one: a test that has to write a
secret down (the variables of a user, a notebook's own secrets) does it there. A private key's own file, `NAME.pem`, is
passed over too.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localstack.servers import Server

ALLOWED = "holds-secrets"
PASSED_OVER = (ALLOWED, ".minio.sys", "site-packages")  # MinIO's own record of its users; what packages bring
OWN_FILES = "*.pem"
HOW = ("-r", "-l", "-a", "-F", "-s", f"--exclude={OWN_FILES}")
PRIVATE_KEYS = ("MC4CAQAwBQYDK2VwBCIEI", "ADANBgkqhkiG9w0BAQEFAASC")
"""What stands in the base64 of every Ed25519 and every RSA key in PKCS 8, whoever made it: the forms' own first bytes."""


def in_files(secrets: Iterable[str], *folders: Path) -> list[str]:
    """The files below these folders that hold one of the secrets."""
    there = [str(folder) for folder in folders if folder.exists()]
    if not there:
        return []
    looked = subprocess.run(
        ["grep", *HOW, *(f"--exclude-dir={name}" for name in PASSED_OVER), "-f", "-", *there],
        input="\n".join(secrets),
        capture_output=True,
        text=True,
        check=False,
    )
    return sorted(looked.stdout.splitlines())


def in_bucket(secrets: Iterable[str], server: Server, bucket: str) -> list[str]:
    """The objects of a bucket that hold one of the secrets, in their key or body."""
    client = server.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [row["Key"] for page in pages for row in page.get("Contents", ())]
    wanted = [secret.encode() for secret in secrets]
    found = []
    for key in keys:
        body = key.encode() + client.get_object(Bucket=bucket, Key=key)["Body"].read()
        if any(secret in body for secret in wanted):
            found.append(f"{bucket}/{key}")
    return found


def in_texts(secrets: Iterable[str], texts: Mapping[str, str]) -> list[str]:
    """The names of the texts that hold one of the secrets."""
    wanted = list(secrets)
    return sorted(name for name, text in texts.items() if any(secret in text for secret in wanted))
