"""The secrets that a worker may hand to jobs: a job finds those that it names, and none in its process's environment."""

from __future__ import annotations

from pathlib import Path

from gpujob import open_store

from .command_line import Person

MODULE = """
import os

from gpujob.specs import Input
from gpujob_worker import Executor, JobContext, Outcome


class Look(Executor):
    kinds = ("test.look",)

    def run(self, job: JobContext) -> Outcome:
        return Outcome({"found": sorted(os.environ), "handed": sorted(job.secrets)})
"""
ENTRY_POINTS = """[gpujob.executors]
look = looking_jobs:Look
[gpujob.kinds]
test.look = gpujob.specs:Input
"""


def install(site: Path) -> Path:
    """Makes `site` a folder for PYTHONPATH in which the plug-in is installed."""
    info = site / "looking_jobs-1.dist-info"
    info.mkdir(parents=True)
    (site / "looking_jobs.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: looking-jobs\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return site


def test_a_secret_of_any_name_reaches_the_job_that_asks_for_it_and_no_other(tmp_path: Path) -> None:
    """What went wrong: with GPUJOB_ALLOW_SECRETS=DB_URL a job that asked for nothing found it in its environment."""
    person = Person(tmp_path)
    person.env |= {"PYTHONPATH": str(install(tmp_path / "site")), "DB_URL": "postgres://somebody", "PLAIN": "x"}
    (person.home / ".config" / "gpujob").mkdir(parents=True)
    (person.home / ".config" / "gpujob" / "config.toml").write_text('allow_secrets = ["DB_URL"]\n')
    spec = {"kind": "test.look", "input": {}}
    plain = person.run("submit", person.write("plain.json", spec)).out.strip()
    asking = person.run("submit", person.write("asking.json", spec | {"secrets": ["DB_URL"]})).out.strip()
    served = person.run("worker", "run", "--kinds", "test.look", "--max-jobs", "2")
    assert served.code == 0, served.err
    store = open_store(person.store)
    outputs = {job: store.wait(job, timeout_s=0).output for job in (plain, asking)}
    assert (outputs[plain]["handed"], outputs[asking]["handed"]) == ([], ["DB_URL"])
    for output in outputs.values():
        assert "PLAIN" in output["found"] and "DB_URL" not in output["found"]
