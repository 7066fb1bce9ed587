"""`python -m gpujob_cli` is `gpujob`."""

from __future__ import annotations

from gpujob_cli.app import main

main()
