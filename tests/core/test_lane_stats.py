"""What a lane measures: service time, latencies, and calls begun a second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.lane_stats import LaneStats
from tests.core.samples import NOW_MS

SECOND_MS = 1_000


def test_nothing_measured_says_nothing() -> None:
    """Zero for the service time means unknown."""
    stats = LaneStats()
    assert (stats.service_ms, stats.per_s(NOW_MS), stats.quantile(0.5)) == (0, 0, None)


def test_the_service_time_is_a_running_mean() -> None:
    """The first call sets it, each later one moves it by a fifth of the difference."""
    stats = LaneStats()
    means = []
    for duration_ms in (100, 200, 200):
        stats.ended(duration_ms)
        means.append(stats.service_ms)
    assert means == pytest.approx([100, 120, 136])


def test_a_first_call_of_no_time_counts_as_measured() -> None:
    """A clock in whole ms measures zero on a fast target: known, and fast."""
    stats = LaneStats()
    stats.ended(0)
    assert 0 < stats.service_ms < 0.01


def test_calls_a_second_are_counted_over_the_seconds_that_have_passed() -> None:
    """The second that lasts is not counted, those more than nine seconds ago neither."""
    stats = LaneStats()
    for second in range(20):
        for _ in range(9):
            stats.begun(NOW_MS + second * SECOND_MS + 500)
    now_ms = NOW_MS + 20 * SECOND_MS
    assert stats.per_s(now_ms) == 9
    assert [stats.per_s(now_ms + passed * SECOND_MS) for passed in (1, 5, 8, 9, 100)] == [8, 4, 1, 0, 0]


def test_a_clock_that_goes_back_loses_no_count() -> None:
    """What begins by a clock that was set back counts in the newest second."""
    stats = LaneStats()
    stats.begun(NOW_MS)
    stats.begun(NOW_MS - 3_600_000)
    assert stats.per_s(NOW_MS + SECOND_MS) == pytest.approx(2 / 9)


@given(st.lists(st.integers(0, 30 * SECOND_MS), max_size=60), st.integers(0, 40 * SECOND_MS))
def test_the_count_is_that_of_nine_whole_seconds(offsets_ms: list[int], now_ms: int) -> None:
    """Whatever the gaps between calls, as many are counted as began in the nine seconds before this one."""
    stats = LaneStats()
    offsets_ms = sorted(offset_ms for offset_ms in offsets_ms if offset_ms <= now_ms)
    for offset_ms in offsets_ms:
        stats.begun(NOW_MS + offset_ms)
    this = now_ms // SECOND_MS
    wanted = [offset_ms for offset_ms in offsets_ms if this - 9 <= offset_ms // SECOND_MS < this]
    assert stats.per_s(NOW_MS + now_ms) == pytest.approx(len(wanted) / 9)


def test_quantiles_are_of_the_last_calls() -> None:
    """Some dozens of calls are kept; what was before them is forgotten."""
    stats = LaneStats()
    for duration_ms in [9_000] * 64 + list(range(1, 65)):
        stats.ended(duration_ms)
    assert stats.quantile(1.0) == 64
    assert 30 <= (stats.quantile(0.5) or 0) <= 50
    assert stats.quantile(0.0) == 1


@given(st.lists(st.floats(0, 100_000), min_size=1, max_size=200), st.floats(0, 1))
def test_memory_of_latencies_is_bounded(durations_ms: list[float], share: float) -> None:
    """However many calls end, a few dozen latencies are kept, and every quantile is one of the calls'."""
    stats = LaneStats()
    for duration_ms in durations_ms:
        stats.ended(duration_ms)
    assert len(stats._latencies) <= 64
    quantile = stats.quantile(share)
    assert quantile is not None
    assert min(durations_ms) - 0.1 <= quantile <= max(durations_ms) * 1.0001 + 0.1
