"""ffmpeg's progress: any cut of its bytes gives the same shares, and nonsense never gets through."""

from __future__ import annotations

import pytest

from gpujob_worker.video.progress import ProgressReader


def block(out_time_us: object, progress: str = "continue") -> bytes:
    return f"frame=10\nfps=0.00\nout_time_us={out_time_us}\nspeed=2x\nprogress={progress}\n".encode()


def test_the_share_of_the_expected_length() -> None:
    reader = ProgressReader(20.0)
    assert not reader.feed(b"frame=1\nout_time_us=1\n")
    assert reader.feed(block(5_000_000))
    assert reader.share == 0.25


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_blocks_may_come_in_pieces(size: int) -> None:
    data = b"".join(block(moment * 1_000_000) for moment in range(1, 6))
    reader = ProgressReader(10.0)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    shares = [reader.share for piece in pieces if reader.feed(piece)]
    assert shares[-1] == 0.5
    assert shares == sorted(shares)


def test_it_never_falls_and_stays_within_its_bounds() -> None:
    reader = ProgressReader(10.0)
    shares = []
    for moment in (-9_223_372_036_854_775_807, -5_000_000, 3_000_000, 2_000_000, 99_000_000):
        reader.feed(block(moment))
        shares.append(reader.share)
    assert shares == [0.0, 0.0, 0.3, 0.3, 1.0]


@pytest.mark.parametrize("moment", ["N/A", "", "x", "nan", "inf"])
def test_unknown_moments_tell_nothing(moment: str) -> None:
    reader = ProgressReader(10.0)
    assert reader.feed(block(moment))
    assert reader.share == 0.0


def test_without_a_length_only_the_end_counts() -> None:
    reader = ProgressReader(None)
    reader.feed(block(5_000_000))
    assert reader.share == 0.0
    reader.feed(block(6_000_000, progress="end"))
    assert reader.share == 1.0
