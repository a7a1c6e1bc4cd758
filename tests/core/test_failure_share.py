"""The share of failures over a window: right to a tenth of the window, and bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.failure_share import FailureShare

WINDOW_MS = 1_000

ends = st.lists(
    st.tuples(st.one_of(st.integers(0, 120), st.integers(0, 3_000)), st.booleans()), min_size=1, max_size=60
)


@given(ends)
def test_it_counts_what_lies_in_the_window(steps: list[tuple[int, bool]]) -> None:
    """Nothing of the last nine tenths is missing, and nothing is older than the window."""
    share, now_ms, all_ends = FailureShare(WINDOW_MS), 1_790_000_000_000, []
    for gap_ms, failed in steps:
        now_ms += gap_ms
        share.add(failed, now_ms)
        all_ends.append((now_ms, failed))
        surely = [failed for at_ms, failed in all_ends if at_ms > now_ms - WINDOW_MS * 9 // 10]
        at_most = [failed for at_ms, failed in all_ends if at_ms > now_ms - WINDOW_MS]
        assert len(surely) <= share.calls <= len(at_most)
        assert sum(surely) <= share.failures <= sum(at_most)


@given(st.lists(st.tuples(st.integers(-5_000, 5_000), st.booleans()), max_size=60), st.integers(0, 100_000))
def test_no_clock_breaks_it(steps: list[tuple[int, bool]], window_ms: int) -> None:
    """Its figures are those of its buckets, whose number never grows, however the clock jumps."""
    share, now_ms = FailureShare(window_ms), 1_790_000_000_000
    for gap_ms, failed in steps:
        now_ms += gap_ms
        share.add(failed, now_ms)
        assert len(share._counts) == 20
        assert (share.calls, share.failures) == (sum(share._counts[:10]), sum(share._counts[10:]))
        assert 0 <= share.failures <= share.calls


def test_a_clock_that_is_set_back_far_starts_it_anew() -> None:
    """Else the old counts would stand until the clock has caught up."""
    share = FailureShare(WINDOW_MS)
    for _ in range(5):
        share.add(True, 10_000_000)
    share.add(False, 9_999_900)
    assert (share.calls, share.failures) == (6, 5)
    share.add(False, 5_000_000)
    assert (share.calls, share.failures) == (1, 0)
