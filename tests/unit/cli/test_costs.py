"""The bill that `doctor` shows: prices by endpoint, and what an idle worker sends."""

from __future__ import annotations

import pytest

from gpujob.records import QueueConfig
from gpujob_cli.costs import GCS, MONTH_S, R2, S3, Requests, idle_worker, prices_at


def test_an_idle_worker_lists_pending_and_leased_and_says_that_it_lives() -> None:
    month = idle_worker(QueueConfig())
    at_least = MONTH_S / 30 + MONTH_S / 35 + MONTH_S / 60
    assert at_least < month.writes < at_least * 1.2
    assert 1.0 < S3.of_requests(month) < 1.3


def test_a_queue_with_a_short_ttl_costs_more() -> None:
    assert idle_worker(QueueConfig(ttl_s=3, beat_s=1)).writes > 3 * idle_worker(QueueConfig()).writes


def test_prices_are_those_of_the_vendors() -> None:
    assert S3.of_requests(Requests(writes=1000, reads=1000)) == pytest.approx(0.0054)
    assert R2.of_requests(Requests(writes=1_000_000)) == 0
    assert R2.of_requests(Requests(writes=1_001_000, reads=1000)) == pytest.approx(0.0045 + 0.00036)


@pytest.mark.parametrize(
    ("endpoint", "prices"),
    [
        ("https://s3.eu-west-1.amazonaws.com", S3),
        ("https://abc.r2.cloudflarestorage.com", R2),
        ("https://storage.googleapis.com", GCS),
        ("https://storage.europe-west3.rep.googleapis.com", GCS),
        ("https://storage.europe-west3.rep.googleapis.com.example", None),
        ("http://127.0.0.1:9000", None),
        ("https://notamazonaws.com", None),
        ("", None),
    ],
)
def test_an_endpoint_has_its_price_list(endpoint: str, prices: object) -> None:
    assert prices_at(endpoint) is prices
