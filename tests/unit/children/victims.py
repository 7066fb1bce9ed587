"""An executor that comes to grief in every way there is, as its input says."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from gpujob.errors import JobFailed
from gpujob_worker.executor import Device, Engine, Executor, JobContext, Outcome, Report


class Victim(Executor):
    """Does what `input["do"]` says; keeps what is to be kept between jobs, so that warmth shows."""

    kinds: ClassVar[tuple[str, ...]] = ("test.victim",)

    def __init__(self) -> None:
        self.loads = 0
        self.runs = 0
        self.kept: Mapping[str, str] = {}

    def device(self) -> Device:
        return Device("cpu", "a warning")

    def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
        self.loads += 1
        report(37, 100, "fetching weights")
        if wanted.get("do") == "load fails":
            raise JobFailed("no such model", type="model_not_found", hint="choose another", retryable=False)
        if wanted.get("do") == "load hangs":
            threading.Event().wait()
        return ("weights",)

    def run(self, job: JobContext) -> Outcome:
        self.runs += 1
        getattr(self, "_" + str(job.input["do"]).replace(" ", "_"))(job)
        facts = {"pid": os.getpid(), "loads": self.loads, "runs": self.runs, "secrets": dict(job.secrets)}
        return Outcome(facts, Engine("victim", "1", device="cpu"), ["a word of warning"])

    def _nothing(self, job: JobContext) -> None:
        pass

    def _load_fails(self, job: JobContext) -> None:
        raise AssertionError("was loaded")

    def _work(self, job: JobContext) -> None:
        """All of the job context once."""
        job.progress(1, 2, "half", partial="hal")
        job.log("a line")
        print("printed")
        sys.stderr.write("complained\n")
        path = job.workdir / "file.txt"
        path.write_text("made: " + "".join(Path(p).read_text() for p in job.files.values()))
        job.artifact("out/file.txt", path, media_type="text/plain")
        if job.cache.get({"step": 1}, job.workdir / "cached") is None:
            job.cache.put({"step": 1}, path, {"n": 7})
        facts = job.cache.get({"step": 1}, job.workdir / "cached")
        assert facts == {"n": 7}
        assert (job.workdir / "cached").read_bytes() == path.read_bytes()
        job.warn("warned")
        job.sleep(0.01)
        job.check()

    def _speak(self, job: JobContext) -> None:
        sys.stderr.write("first\n\nlast, without an end")

    def _keep_its_secrets(self, job: JobContext) -> None:
        self.kept = job.secrets

    def _write_what_was_kept(self, job: JobContext) -> None:
        sys.stderr.write(f"kept: {self.kept}\n")

    def _close_its_output(self, job: JobContext) -> None:
        os.close(2)

    def _raise(self, job: JobContext) -> None:
        raise RuntimeError("broke in the middle")

    def _fail(self, job: JobContext) -> None:
        raise JobFailed("the input is odd", type="invalid_input", hint="make it even", retryable=False)

    def _segfault(self, job: JobContext) -> None:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        sys.stderr.write("last words\n")
        ctypes.string_at(0)

    def _exit(self, job: JobContext) -> None:
        os._exit(3)

    def _killed(self, job: JobContext) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _eat_memory(self, job: JobContext) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, resource.RLIM_INFINITY))
        bytearray(2**31)

    def _hang(self, job: JobContext) -> None:
        """Deaf to everything, with a process of its own besides."""
        sleeper = subprocess.Popen(["sleep", "600"])
        job.log(f"sleeper {sleeper.pid}")
        job.progress(1, 2, "hanging")
        threading.Event().wait()

    def _obey(self, job: JobContext) -> None:
        job.progress(1, 2, "obeying")
        job.sleep(600)

    def _flood(self, job: JobContext) -> None:
        for number in range(200_000):
            sys.stderr.write(f"line {number} of a flood that nobody reads\n")
        sys.stderr.write("x" * 1_000_000 + "\n")
        sys.stderr.flush()

    def _write_elsewhere(self, job: JobContext) -> None:
        job.artifact("passwd", Path("/etc/passwd"), media_type="text/plain")

    def _twice(self, job: JobContext) -> None:
        path = job.workdir / "file.txt"
        path.write_text("made")
        job.artifact("a", path, media_type="text/plain")
        job.artifact("a", path, media_type="text/plain")

    def _fall_silent(self, job: JobContext) -> None:
        os.closerange(3, 256)
        threading.Event().wait()

    def _huge(self, job: JobContext) -> None:
        job.log("x" * 9 * 2**20)

    def _stop_itself(self, job: JobContext) -> None:
        from gpujob.errors import JobCancelled

        raise JobCancelled("of its own accord")


class Slow(Victim):
    """Takes for ever to come to life."""

    def __init__(self) -> None:
        threading.Event().wait()
