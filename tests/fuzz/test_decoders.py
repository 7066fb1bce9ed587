"""Every decoder on drawn input: bytes, text, JSON, and good input that was altered. `atheris_run.py` does a million."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.sizing import pick

from .decoders import DECODERS
from .mutating import altered
from .seeds import seeds

SEEDS = seeds()
EXAMPLES = pick(quick=25, full=250)

numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 2**63, 2**64, 1e308, -1e-308])
leaves = st.none() | st.booleans() | numbers | st.text(max_size=20)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _with(body: bytes, name: str, value: object) -> bytes:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(found, dict) or not found:
        return body
    return json.dumps(found | {sorted(found)[len(name) % len(found)]: value, name: value}).encode()


inputs = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")),
    values.map(lambda value: json.dumps(value).encode()),
    st.builds(_with, st.sampled_from(SEEDS), st.text(max_size=12), values),
    st.builds(altered, st.sampled_from(SEEDS), st.randoms(use_true_random=False)),
)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@example(data=b"")
@given(data=inputs)
def test_a_decoder_raises_what_it_says_or_nothing(name: str, data: bytes) -> None:
    DECODERS[name](data)


@pytest.mark.parametrize("name", DECODERS)
def test_each_seed_is_decoded_or_refused(name: str) -> None:
    for data in SEEDS:
        DECODERS[name](data)
