"""What may be sent to a rented machine."""

from __future__ import annotations

import pytest

from gpujob.errors import Configuration
from gpujob_cli.launching import require_fitting

AMAZONS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "hidden"}
GOOGLES = {"AWS_ACCESS_KEY_ID": "GOOG1EXAMPLE", "AWS_SECRET_ACCESS_KEY": "hidden"}


def test_amazons_keys_are_not_sent_for_a_queue_on_google() -> None:
    with pytest.raises(Configuration, match="begins with GOOG") as caught:
        require_fitting("gs://jobs/gpu", AMAZONS)
    assert "hidden" not in f"{caught.value} {caught.value.hint}"
    require_fitting("gs://jobs/gpu", GOOGLES)
    require_fitting("s3://jobs/gpu", AMAZONS)
