"""`python -m localstack.down`: stops the local server. Its data stay in localstack/.data for the next `make up`."""

from __future__ import annotations

import sys

from localstack.state import DATA, alive, load, remove, stop


def main() -> int:
    """Stops the server that `localstack.up` started, if one runs."""
    server = load()
    if server is None or not alive(server):
        print("No local server is running.", file=sys.stderr)
    else:
        stop(server)
        print(
            f"{server.name} is stopped. Its data are kept in {DATA}; remove that folder to forget them.",
            file=sys.stderr,
        )
    remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
