"""A quick run on the folder store has every figure that it promises, and its counts are those of the protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.__main__ import main
from benchmarks.figures import Row
from benchmarks.measures.idle import HOUR_S, idle_hour
from benchmarks.measures.pickup import after_long_idleness
from benchmarks.places import NAMES, opened
from benchmarks.printing import figure
from benchmarks.virtual_time import VirtualTime

IN_SIMULATED_OR_NO_TIME = "raw,submit,drain,claim,requests,idle,speech"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of a quick run."""
    out = tmp_path_factory.mktemp("out")
    assert main(["--quick", "--store", "folder", "--only", IN_SIMULATED_OR_NO_TIME, "--out", str(out)]) == 0
    found: dict[str, Any] = json.loads((out / "folder.json").read_text())
    return found


def rows(report: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in report["measurements"][name]}


def test_says_what_it_was_taken_on_and_what_was_left_out(report: dict[str, Any]) -> None:
    assert report["quick"] is True
    assert {"date", "cpu", "load before", "python", "boto3", "gpujob", "store"} <= set(report["machine"])
    assert list(report["left_out"]) == ["speech"]
    assert set(report["measurements"]) | set(report["left_out"]) == set(IN_SIMULATED_OR_NO_TIME.split(","))


def test_every_figure_is_there_with_the_raw_one_beside_it(report: dict[str, Any]) -> None:
    assert list(rows(report, "raw")) == ["raw PUT if absent", "raw GET", "raw HEAD", "raw LIST", "raw DELETE"]
    for name in ("submit", "claim", "requests"):
        for row in rows(report, name).values():
            assert row["ratio"] == row["value"] / row["raw"] > 0
    drains = {what: row for what, row in rows(report, "drain").items() if what.startswith("drain")}
    assert len(drains) == 4
    assert all(row["ratio"] > 0 for row in drains.values())
    assert "lost to races: 0 PUT, 0 GET" in drains["drain, 1 process"]["detail"]


def test_one_job_costs_what_the_protocol_says(report: dict[str, Any]) -> None:
    costs = rows(report, "requests")
    assert {what.rpartition(": ")[2]: row["value"] for what, row in costs.items()} == {
        "PUT": 3,
        "GET or HEAD": 3,
        "DELETE": 2,
        "LIST": 2,
    }


def test_a_claim_costs_its_four_requests_and_a_share_of_two_lists_however_many_wait(report: dict[str, Any]) -> None:
    found = [row["value"] for what, row in rows(report, "claim").items() if what.endswith("requests")]
    claims = 4
    assert found == [4 + 2 / claims] * 2


def test_an_idle_hour_backs_off_to_one_poll_in_half_a_minute() -> None:
    counts = idle_hour(seed=7)
    assert HOUR_S / 30 <= counts["list", "pending"] <= HOUR_S / 22 + 12  # and the sweeps' six, and the first few polls
    assert counts["list", "leased"] <= HOUR_S / 35 + 8
    assert sum(number for (verb, prefix), number in counts.items() if prefix == "workers") == 60


def test_pick_up_after_long_idleness_waits_for_a_poll_and_no_longer() -> None:
    found = after_long_idleness(20)
    assert len(found.start) == len(found.known) == 20
    assert 0 <= min(found.start) <= max(found.start) <= 30
    assert all(start <= known <= start + 2 for start, known in zip(found.start, found.known, strict=True))


def test_simulated_time_runs_threads_in_the_order_in_which_they_are_due() -> None:
    clock = VirtualTime(0.0)
    seen: list[tuple[str, float]] = []
    word = clock.event()

    def sleeper() -> None:
        clock.sleep(5)
        seen.append(("slept", clock.now()))

    def listener() -> None:
        heard = word.wait(100)
        seen.append((f"heard {heard}", clock.now()))

    tasks = [clock.spawn("sleeper", sleeper), clock.spawn("listener", listener)]
    clock.sleep(7)
    word.set()
    for task in tasks:
        task.join()
    assert seen == [("slept", 5.0), ("heard True", 7.0)]
    assert clock.event().wait(3) is False
    assert clock.elapsed() == 10.0


def test_a_store_is_gone_when_its_measurements_end() -> None:
    assert "folder" in NAMES
    with opened("folder") as place:
        folder = Path(place.queue("one").removeprefix("file://"))
        assert folder.is_dir()
    assert not folder.exists()


def test_an_unknown_measurement_or_store_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--only", "speed"], ["--store", "tape"]):
        with pytest.raises(SystemExit):
            main(words)
        assert f"{words[1]} is none of" in capsys.readouterr().err


def test_a_ratio_is_gpujobs_figure_over_the_raw_one() -> None:
    assert Row("submit", 40.0, "/s", "raw", 80.0).ratio == 0.5
    assert Row("raw", 40.0, "/s").ratio is None
    assert figure(1234.5, "/s") == "1,234/s"
    assert figure(1.234, "ms") == "1.23 ms"
    assert figure(4.5, "requests") == "4.5 req"
