"""Rates as people write them, read and written back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.rate import MOST_PER_S, Rate, parse_rate, usual_burst


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("10/s", Rate(10, 1_000)),
        ("10/5s", Rate(10, 5_000)),
        ("1000/m", Rate(1000, 60_000)),
        (" 1 / 2 h ", Rate(1, 7_200_000)),
        ("3/0.5s", Rate(3, 500)),
    ],
)
def test_rate_is_an_amount_per_interval(written: str, rate: Rate) -> None:
    """A unit alone means one of it."""
    assert parse_rate(written) == rate


@pytest.mark.parametrize(
    "written", ["", "10", "10/", "/s", "-1/s", "ten/s", "10/s/s", "0/s", "1/0s", "1/2d", "2/0.001ms"]
)
def test_what_is_no_rate_is_refused_with_what_is_allowed(written: str) -> None:
    """The message says how to write one, or from where to where it may be."""
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(written)


def test_rates_have_bounds() -> None:
    """Faster than a million a second is a mistake of units."""
    with pytest.raises(ValueError, match="1/d to 1000000/s"):
        parse_rate("2000/ms")
    assert parse_rate("1000/ms").per_s == MOST_PER_S


@given(st.integers(1, 10**6), st.integers(1_000, 3_600_000))
def test_rate_reads_back_what_it_writes(amount: int, interval_ms: int) -> None:
    """So that what people are shown is what they may write."""
    rate = Rate(amount, interval_ms)
    assert parse_rate(str(rate)) == rate
    assert rate.spacing_ms * rate.per_s == pytest.approx(1_000)


def test_usual_burst_is_one_seconds_worth() -> None:
    """And never less than one call."""
    assert [usual_burst(parse_rate(rate)) for rate in ("10/s", "100/5s", "1/m")] == [10, 20, 1]
