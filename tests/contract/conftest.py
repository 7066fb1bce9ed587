"""For all contract tests: readable assertions from the shipped suites, and longer races at full size."""

from __future__ import annotations

import pytest

from tests.sizing import pick

for part in ("bucket_verbs", "bucket_listing", "bucket_streams", "bucket_races", "process_races"):
    pytest.register_assert_rewrite(f"gpujob.testing.{part}")
for part in ("store_setting", "store_lives", "store_names", "store_cleaning", "store_fairness"):
    pytest.register_assert_rewrite(f"gpujob.testing.{part}")


@pytest.fixture(autouse=True)
def longer_races_at_full_size(request: pytest.FixtureRequest) -> None:
    """Multiplies the rounds of a contract's races."""
    if hasattr(request.instance, "rounds"):
        request.instance.rounds *= pick(quick=1, full=5)
