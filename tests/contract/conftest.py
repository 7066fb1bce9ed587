"""For all contract tests: readable assertions from the shipped suites, and longer races at full size."""

from __future__ import annotations

import os

import pytest

for part in ("bucket_verbs", "bucket_listing", "bucket_streams", "bucket_races", "process_races"):
    pytest.register_assert_rewrite(f"gpujob.testing.{part}")


def full_size() -> bool:
    return os.environ.get("GPUJOB_TEST_SIZE") == "full"


@pytest.fixture(autouse=True)
def longer_races_at_full_size(request: pytest.FixtureRequest) -> None:
    if full_size() and hasattr(request.instance, "rounds"):
        request.instance.rounds *= 5
