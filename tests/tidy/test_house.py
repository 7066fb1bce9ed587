"""What the README and CI promise of the house: targets, the test command, the list of what was left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {"demo", "test", "check", "fix", "bench", "explore", "up", "down", "servers", "docs", "clean"}
FIND_PYTHON = ["sh", "scripts/find-python"]

SAMPLE = """
import pytest
from tests.sizing import require_or_skip

def test_that_passes():
    pass

def test_that_needs_a_server():
    require_or_skip("minio", "make servers")
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | environment
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def sample(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs two tests, one of which needs a server that is not there."""
    file = folder / "test_sample.py"
    file.write_text(SAMPLE)
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--rootdir", str(folder), str(file)]
    return run(*pytest, **({"PYTHONPATH": str(ROOT), "GPUJOB_TEST_SIZE": "quick", "GPUJOB_REQUIRE": ""} | environment))


def test_make_alone_lists_every_target_with_a_line() -> None:
    listed = dict(re.findall(r"^  make ([a-z-]+) +(.+)$", run("make", "--no-print-directory").stdout, re.MULTILINE))
    assert set(listed) >= TARGETS
    assert all(len(line) > 8 for line in listed.values())


def test_ci_runs_what_the_readme_says_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    commands = [line for line in lines if line and not line.startswith(("#", "set ", "cd "))]
    readme = (ROOT / "README.md").read_text().splitlines()
    assert "make test SIZE=full" in commands
    assert [line for line in commands if line not in readme] == []


def test_a_python_that_will_not_do_is_refused_with_a_sentence() -> None:
    done = run(*FIND_PYTHON, "/bin/false")
    assert done.returncode == 2
    assert "3.11, 3.12 or 3.13" in done.stderr and "PYTHON=/bin/false" in done.stderr


def test_this_python_is_found() -> None:
    done = run(*FIND_PYTHON, sys.executable)
    assert (done.returncode, done.stderr) == (0, "")
    assert run(done.stdout.strip(), "-c", "pass").returncode == 0


def test_what_is_left_out_is_listed_before_the_closing_line(tmp_path: Path) -> None:
    done = sample(tmp_path)
    assert done.returncode == 0
    *_, before, closing = done.stdout.splitlines()
    assert re.fullmatch(r"1 passed, 1 skipped in .+", closing)
    assert before == "left out: the long runs (more schedules, longer chaos): make test SIZE=full"
    assert "left out: test_sample.py::test_that_needs_a_server: minio is missing: make servers" in done.stdout


def test_what_is_required_fails_where_it_is_missing(tmp_path: Path) -> None:
    done = sample(tmp_path, GPUJOB_REQUIRE="kokoro, minio")
    assert done.returncode == 1
    assert "minio is required here (GPUJOB_REQUIRE) and missing: make servers" in done.stdout
    assert re.fullmatch(r"1 failed, 1 passed in .+", done.stdout.splitlines()[-1])


def test_tests_do_not_see_the_settings_of_whoever_runs_them() -> None:
    assert [name for name in os.environ if name.startswith(("AWS_ACCESS", "GPUJOB_STORE", "GPUJOB_PROFILE"))] == []
    assert "gpujob-tests-" in os.environ["XDG_CONFIG_HOME"]
