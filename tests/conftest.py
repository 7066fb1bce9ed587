"""What holds for every test: a clean environment, and an honest list of what was left out at the end.

Invariant: no test reads the settings, credentials or queues of the person who runs it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import google, leaks
from tests.sizing import FULL, REQUIRED, pick

KEPT = {"GPUJOB_TEST_SIZE", "GPUJOB_REQUIRE", "GPUJOB_CACHE_DIR"}
PERSONAL = (
    "GPUJOB_",
    "AWS_",
    "GOOGLE_",
    "CLOUDSDK_",
    "MINIO_",
    "WORKER_ID",
    "OLLAMA_",
    "IMAGEN_",
    "GPU_",
    "STACK_",
    "COLAB_",
)
LONGER_S = {"acceptance": 300, "contract": pick(300, 600)}  # several processes; the largest races

# A loaded machine makes an example slow, not wrong.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Takes the person's own settings out of the environment before any test module is imported."""
    for name in [name for name in os.environ if name.startswith(PERSONAL) and name not in KEPT]:
        del os.environ[name]
    if "PYTEST_XDIST_WORKER" not in os.environ:  # the workers inherit their parent's
        home = Path(tempfile.mkdtemp(prefix="gpujob-tests-"))
        config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            os.environ[name] = str(home / name.lower())
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["NO_GCE_CHECK"] = "true"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a script: tests press Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def no_secret_is_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the very end, looks through all that this process's tests and servers have written. See tests/leaks.py."""
    yield
    servers = sys.modules.get("tests.servers")
    started = servers.STARTED if servers is not None else []
    secrets = [*leaks.PRIVATE_KEYS, *google.known_secrets(), *(servers.known_secrets() if servers is not None else [])]
    data = [server.folder / "data" for server in started]
    homes = [Path(os.environ[name]) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")]
    found = leaks.in_files(secrets, tmp_path_factory.getbasetemp(), *data, *homes)
    assert not found, f"a secret of the tests was written down: {found[:20]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives the folders of `LONGER_S` more time than other tests have, where a test does not say it itself."""
    for item in items:
        for folder, longer_s in LONGER_S.items():
            if Path(__file__).parent / folder in item.path.parents and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(longer_s))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuses a pytest with which xdist forgets its groups: then long runs wait for one another in both processes."""
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    if getattr(session.config.option, "loadgroup", False) and any("@" not in item.nodeid for item in grouped):
        raise pytest.UsageError(
            "this pytest-xdist does not group tests with this pytest: `make clean`, then `make venv`"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Replaces halves of characters in what a test logged or printed: xdist cannot send them, and ends the whole run."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


def pytest_report_header() -> str:
    """One line that says how large this run is."""
    size = "full" if FULL else "quick"
    return f"gpujob: size {size}, required: {', '.join(sorted(REQUIRED)) or 'nothing'}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Lists what this run left out and why, just before the closing line."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        reasons[_reason(report)].append(report.nodeid)
    terminalreporter.section("left out")
    for reason, nodes in sorted(reasons.items()):
        kind = "does not apply" if reason.startswith("this store") else "left out"
        terminalreporter.write_line(f"{kind}: {_tests(nodes)}: {reason}")
    deselected = len(terminalreporter.stats.get("deselected", []))
    if deselected:
        terminalreporter.write_line(f"left out: {deselected} tests that the command line deselected")
    if not FULL:
        terminalreporter.write_line("left out: the long runs (more schedules, longer chaos): make test SIZE=full")
    elif not deselected and all(reason.startswith("this store") for reason in reasons):
        terminalreporter.write_line("nothing was left out")


def _reason(report: Any) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(text).removeprefix("Skipped: ").strip()


def _tests(nodes: list[str]) -> str:
    if len(nodes) == 1:
        return nodes[0]
    files = sorted({node.partition("::")[0] for node in nodes})
    return f"{len(nodes)} tests of {', '.join(files)}"
