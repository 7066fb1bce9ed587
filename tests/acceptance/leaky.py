"""An executor that puts the secret it was handed wherever it can, written into a folder as an installed plug-in."""

from __future__ import annotations

from pathlib import Path

MODULE = """
import base64, json, logging, os, sys

from gpujob.specs import Input
from gpujob_worker import Engine, Executor, JobContext, Outcome


class LeakInput(Input):
    do: str


class Leak(Executor):
    kinds = ("test.leak",)

    def run(self, job: JobContext) -> Outcome:
        secret = job.secrets["LEAK_TOKEN"]
        print("printed", secret)
        logging.getLogger("lib").warning("logged as json %s", json.dumps({"token": secret}))
        job.log(f"said {secret}")
        job.warn(f"warned {secret}")
        job.progress(1, 2, f"at {secret}", partial=f"half a text with {secret}")
        sys.stderr.write(base64.b64encode(secret.encode()).decode() + chr(10))
        if job.input["do"] == "raise":
            raise RuntimeError(f"GET https://user:{secret}@host/?key={secret}")
        if job.input["do"] == "die":
            sys.stderr.write(f"dying with {secret}" + chr(10))
            sys.stderr.flush()
            os.abort()
        return Outcome({"marker": "the output is here", "token": [secret]}, Engine(name=f"leak {secret}", version="1"))
"""
ENTRY_POINTS = """[gpujob.executors]
leak = leaky_jobs:Leak
[gpujob.kinds]
test.leak = leaky_jobs:LeakInput
"""


def install(site: Path) -> Path:
    """Makes `site` a folder for PYTHONPATH in which the plug-in is installed."""
    info = site / "leaky_jobs-1.dist-info"
    info.mkdir(parents=True)
    (site / "leaky_jobs.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leaky-jobs\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return site
