"""`python -m gpujob_worker` runs a worker."""

from __future__ import annotations

from gpujob_worker.main import main

main()
