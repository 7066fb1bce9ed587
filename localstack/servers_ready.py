"""`python -m localstack.servers_ready`: makes sure that both test servers are on this machine, building MinIO once."""

from __future__ import annotations

import sys

from localstack.programs import HOW, Missing, build, find_weed


def main() -> int:
    """0 when both are there; else 3, with how to get what is missing."""
    try:
        print(f"minio: {build('minio')}", file=sys.stderr)
    except Missing as error:
        print(f"minio is missing: {error}", file=sys.stderr)
        return 3
    weed = find_weed()
    print(f"seaweedfs: {weed or 'missing: ' + HOW['seaweedfs']}", file=sys.stderr)
    return 0 if weed else 3


if __name__ == "__main__":
    sys.exit(main())
