"""The long run: `make faults`, or `python -m tests.faults --jobs 10000 --seed 1`. Prints one line for each setting.

Invariant: the jobs are shared evenly by the servers and the rates, and the first broken invariant ends the run.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from localstack import servers

from tests.faults import trials
from tests.faults.draws import Chances

RATES = (0.05, 0.2)


def main() -> None:
    """The whole run; a minute for each 500 jobs, on two cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", default="minio,seaweedfs")
    parser.add_argument("--rates", default=",".join(map(str, RATES)))
    wanted = parser.parse_args()
    names, rates = wanted.servers.split(","), [float(rate) for rate in wanted.rates.split(",")]
    each = wanted.jobs // (len(names) * len(rates))
    for name in names:
        with servers.running(name) as server:
            os.environ.update(server.environment())
            for number, rate in enumerate(rates):
                plan = replace(trials.PLAN, jobs=each, seed=wanted.seed + number, deadline_s=180.0 + 2 * each)
                print(trials.run(trials.on_server(server), Chances(rate), plan), flush=True)


if __name__ == "__main__":
    main()
