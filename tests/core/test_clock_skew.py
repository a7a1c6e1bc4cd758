"""How far two clocks are apart, at the least."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.clock_skew import skew_ms

INSTANTS = st.integers(0, 10**13)
SPANS = st.integers(0, 60_000)


@pytest.mark.parametrize(
    ("before_ms", "other_ms", "after_ms", "skew"),
    [(100, 100, 100, 0), (100, 105, 110, 0), (100, 90, 110, 10), (100, 130, 110, -20), (100, 110, 110, 0)],
)
def test_only_what_the_exchange_cannot_explain_is_skew(before_ms: int, other_ms: int, after_ms: int, skew: int) -> None:
    """Ahead is positive, behind negative, and between our two instants the other's may be anywhere."""
    assert skew_ms(before_ms, other_ms, after_ms) == skew


@given(INSTANTS, SPANS, SPANS, st.integers(-(10**9), 10**9))
def test_never_more_than_the_truth_and_short_by_the_exchange_at_most(
    at_ms: int, there_ms: int, back_ms: int, ahead_ms: int
) -> None:
    """A clock that is ahead by so much is found to be so, less what the two ways took."""
    found = skew_ms(at_ms + ahead_ms, at_ms + there_ms, at_ms + there_ms + back_ms + ahead_ms)
    assert abs(found) <= abs(ahead_ms)
    assert abs(found) >= abs(ahead_ms) - max(there_ms, back_ms)
    assert found * ahead_ms >= 0
