"""Slots under several rates at once: no window holds more than its limits allow, and nothing is taken in part."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.policy import SharedLimit
from streamer.core.rate import MOST_PER_S, Rate, parse_rate
from streamer.core.reservation import STEP_US, KeyClock, Pace, pace_of, slot_us, taken

NOW_US = 1_700_000_000_000_000
PACES = (Pace(100_000, 1), Pace(333_334, 3), Pace(7, 20))

steps = st.lists(
    st.tuples(
        st.integers(0, 2_000_000),
        st.integers(-STEP_US, 0),
        st.sets(st.integers(0, len(PACES) - 1), min_size=1),
        st.sampled_from([0, 500_000, 60_000_000]),
    ),
    max_size=60,
)


def limit(rate: str, burst: int = 1) -> SharedLimit:
    """Return a limit of that rate."""
    return SharedLimit("rate_key:x", parse_rate(rate), burst)


@given(steps)
def test_no_window_holds_more_than_its_limit_allows(told: list[tuple[int, int, set[int], int]]) -> None:
    """In any window of length t lie at most t / spacing + burst slots of a key, though clocks jitter and keys come mixed."""
    clocks = [KeyClock() for _ in PACES]
    slots: list[list[int]] = [[] for _ in PACES]
    steady_us = NOW_US
    for later_us, jitter_us, keys, horizon_us in told:
        steady_us += later_us
        now_us = steady_us + jitter_us
        paces, tats = [PACES[k] for k in keys], [clocks[k].tat_at(now_us) for k in keys]
        slot = slot_us(paces, tats, now_us)
        assert slot >= now_us
        if slot > now_us + horizon_us:
            continue
        for k, pace, tat in zip(keys, paces, tats, strict=True):
            clocks[k] = taken(pace, tat, slot, now_us)
            slots[k].append(slot)
    for pace, times in zip(PACES, (sorted(times) for times in slots), strict=True):
        for first in range(len(times)):
            for last in range(first, len(times)):
                window_us = times[last] - times[first] + 1
                assert last - first + 1 <= window_us / pace.spacing_us + pace.burst


@given(st.integers(1, 20), st.integers(1, 2_000_000))
def test_a_key_that_is_asked_all_the_time_is_used_up(burst: int, spacing_us: int) -> None:
    """A burst comes at once, and then a slot each spacing: nothing is left unused."""
    pace, clock, slots = Pace(spacing_us, burst), KeyClock(), []
    for _ in range(burst + 5):
        slots.append(slot_us([pace], [clock.tat_us], NOW_US))
        clock = taken(pace, clock.tat_us, slots[-1], NOW_US)
    assert slots[:burst] == [NOW_US] * burst
    assert [after - before for before, after in pairwise(slots[burst - 1 :])] == [spacing_us] * 5


def test_a_common_slot_is_the_latest() -> None:
    """The key that has to wait longest says when."""
    paces = [Pace(1_000, 1), Pace(1_000, 3)]
    assert slot_us(paces, [NOW_US + 500, NOW_US + 9_000], NOW_US) == NOW_US + 7_000
    assert slot_us([], [], NOW_US) == NOW_US


def test_a_clock_that_was_set_back_takes_the_reservations_along() -> None:
    """An hour back must not mean an hour of waiting; jitter changes nothing."""
    clock = KeyClock(NOW_US + 5_000, NOW_US)
    assert clock.tat_at(NOW_US - 3_600_000_000) == NOW_US - 3_600_000_000 + 5_000
    assert clock.tat_at(NOW_US - STEP_US) == clock.tat_us
    assert clock.tat_at(NOW_US + 10) == clock.tat_us


@pytest.mark.parametrize(
    ("rate", "burst", "share", "pace"),
    [
        ("10/s", 10, 1.0, Pace(100_000, 10)),
        ("10/s", 10, 0.25, Pace(400_000, 2)),
        ("3/s", 3, 1.0, Pace(333_334, 3)),
        ("1000000/s", 1, 1.0, Pace(1, 1)),
        ("1/d", 1, 0.1, Pace(864_000_000_000, 1)),
    ],
)
def test_a_pace_is_a_share_of_a_limit(rate: str, burst: int, share: float, pace: Pace) -> None:
    """Spacing in whole µs, rounded up; of a burst at least one is left."""
    assert pace_of(limit(rate, burst), share) == pace


@given(st.integers(1, MOST_PER_S), st.sampled_from([1_000, 60_000, 86_400_000]))
def test_a_pace_is_never_faster_than_its_rate(amount: int, interval_ms: int) -> None:
    """So many spacings as the amount take at least the interval."""
    pace = pace_of(SharedLimit("k", Rate(amount, interval_ms), 1))
    assert pace.spacing_us * amount >= interval_ms * 1000
    assert (pace.spacing_us - 1) * amount < interval_ms * 1000
