"""The judge of a rate finds the one window that holds too many calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.beat import excess, stalls


def test_a_beat_that_keeps_the_rate_has_no_excess() -> None:
    """A burst at once and then one call each spacing touches the bound, and does not pass it."""
    found = excess([0.0] * 10 + [0.125 * number for number in range(1, 100)], 8, 10)
    assert found.calls == 0


def test_the_window_with_a_call_too_many_is_found() -> None:
    """One more call in the midst of a steady beat is one too many in the window that it ends."""
    found = excess(sorted([float(number) for number in range(10)] + [5.0]), 1, 1)
    assert found.calls == 1


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40), st.integers(1, 20), st.integers(1, 10))
def test_no_window_is_missed(ticks: list[int], per_s: int, burst: int) -> None:
    """It says what trying every pair of calls says."""
    at_s = [tick / 1024 for tick in sorted(ticks)]
    slow = max(j - i + 1 - per_s * (at_s[j] - at_s[i]) - burst for i in range(len(at_s)) for j in range(i, len(at_s)))
    assert excess(at_s, per_s, burst).calls == pytest.approx(slow)


def test_pauses_are_told_with_their_begin() -> None:
    """A pause is told by the call before it."""
    assert stalls([0.0, 0.5, 3.0, 3.5], 2.0) == [(0.5, 2.5)]
