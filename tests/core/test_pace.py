"""The pace after a 429: halved once for a crowd, even, never below the least, and gone after a while."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.pace import LEAST_PER_S, Pace

NOW_MS = 1_790_000_000_000

rates = st.floats(LEAST_PER_S, 10_000)


def slowed(rate_per_s: float = 100.0) -> Pace:
    """Return a pace that was halved at NOW_MS."""
    pace = Pace()
    assert pace.slow(NOW_MS - 10, rate_per_s, NOW_MS)
    return pace


def test_it_bounds_nothing_before_the_first_429() -> None:
    """Calls go at once, whatever was begun."""
    pace = Pace()
    pace.take(NOW_MS)
    assert (pace.active(NOW_MS), pace.per_s(NOW_MS), pace.next_ms(NOW_MS)) == (False, 0.0, NOW_MS)


def test_a_429_halves_what_the_lane_sent() -> None:
    """The next call waits for one spacing of the new pace."""
    pace = slowed(100)
    assert (pace.active(NOW_MS), pace.per_s(NOW_MS)) == (True, 50.0)
    assert pace.next_ms(NOW_MS) == NOW_MS + 20


def test_a_crowd_of_refused_calls_halves_it_once() -> None:
    """Calls begun before the halving say nothing of the new pace; one begun after it does."""
    pace = slowed(100)
    assert not any(pace.slow(NOW_MS - begun_ms, 100, NOW_MS + 5) for begun_ms in range(50))
    assert pace.per_s(NOW_MS + 5) == 50
    assert pace.slow(NOW_MS + 20, 100, NOW_MS + 30)
    assert pace.per_s(NOW_MS + 30) == 25


def test_a_lane_that_sends_less_than_its_pace_is_halved_from_what_it_sends() -> None:
    """Else a pace far above what is sent would have to be halved many times before it bounds anything."""
    pace = slowed(1_000)
    assert pace.slow(NOW_MS + 10, 8, NOW_MS + 20)
    assert pace.per_s(NOW_MS + 20) == 4


def test_it_recovers_by_a_tenth_each_second_and_then_bounds_nothing() -> None:
    """From half to twice the rate is a factor of four: fifteen steps."""
    pace = slowed(100)
    paces = [pace.per_s(NOW_MS + second * 1_000 + 999) for second in range(16)]
    assert paces[:15] == pytest.approx([50 * 1.1**step for step in range(15)])
    assert paces[15] == 0
    assert pace.active(NOW_MS + 14_999)
    assert not pace.active(NOW_MS + 15_000)


@given(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 30))
def test_no_rate_makes_it_slower_than_the_least(rate_per_s: float, more: int) -> None:
    """However often it is halved, and whatever the lane says it sent."""
    pace, now_ms = Pace(), NOW_MS
    for _ in range(more + 1):
        assert pace.slow(now_ms, rate_per_s, now_ms + 1)
        now_ms += 2
        assert LEAST_PER_S <= pace.per_s(now_ms) < math.inf
        assert now_ms <= pace.next_ms(now_ms) <= now_ms + 1_000 / LEAST_PER_S


events = st.lists(st.tuples(st.integers(0, 2_000), st.sampled_from(["call", "call", "call", "429"])), max_size=60)


@given(rates, events)
def test_calls_are_evenly_spaced_while_it_is_active(rate_per_s: float, steps: list[tuple[int, str]]) -> None:
    """Between two calls lies at least a spacing of the pace at the second one; nothing unused is made up for."""
    pace, now_ms, last_ms = slowed(rate_per_s), float(NOW_MS), float(NOW_MS)
    for gap_ms, event in steps:
        now_ms += gap_ms
        if event == "429":
            if pace.slow(now_ms, rate_per_s, now_ms):
                last_ms = now_ms
            continue
        now_ms = pace.next_ms(now_ms)
        assert pace.next_ms(now_ms) == now_ms
        if pace.active(now_ms):
            assert now_ms - last_ms >= 1_000 / pace.per_s(now_ms) - 0.01
        pace.take(now_ms)
        assert not pace.active(now_ms) or pace.next_ms(now_ms) > now_ms
        last_ms = now_ms


@given(rates, st.lists(st.integers(0, 20_000), min_size=1, max_size=20))
def test_without_another_429_it_only_gets_faster(rate_per_s: float, gaps: list[int]) -> None:
    """Never beyond twice the rate, and never again active once it is gone."""
    pace, now_ms, seen = slowed(rate_per_s), NOW_MS, LEAST_PER_S
    for gap_ms in gaps:
        now_ms += gap_ms
        per_s = pace.per_s(now_ms)
        if per_s == 0:
            seen = math.inf
        else:
            assert seen <= per_s <= 2 * rate_per_s
            seen = per_s
    assert not pace.active(NOW_MS + 15_000)


def test_another_workers_pace_goes_on() -> None:
    """It is restored as if just halved to that; none is none."""
    pace = Pace()
    pace.restore(0.0, NOW_MS)
    assert not pace.active(NOW_MS)
    pace.restore(5.0, NOW_MS)
    assert (pace.per_s(NOW_MS), pace.next_ms(NOW_MS)) == (5.0, NOW_MS + 200)
    assert [pace.active(NOW_MS + after_ms) for after_ms in (14_999, 15_000)] == [True, False]
    assert pace.slow(NOW_MS + 1, 5, NOW_MS + 2)


@given(rates, st.integers(0, 20_000), st.integers(1_001, 10**10))
def test_a_clock_that_is_set_back_makes_nobody_wait_longer(rate_per_s: float, gap_ms: int, back_ms: int) -> None:
    """Neither for the next call nor for the recovery."""
    pace, now_ms = slowed(rate_per_s), NOW_MS + gap_ms
    pace.take(now_ms)
    wait_ms, per_s = pace.next_ms(now_ms) - now_ms, pace.per_s(now_ms)
    assert pace.next_ms(now_ms - back_ms) - (now_ms - back_ms) == pytest.approx(wait_ms, abs=0.01)
    assert pace.per_s(now_ms - back_ms) == per_s
    assert not pace.active(now_ms - back_ms + 15_000)


def test_jitter_makes_no_pace_slower() -> None:
    """An instant taken a moment before the halving is read as that of the halving."""
    assert slowed(100).per_s(NOW_MS - 999) == 50


def test_a_429_after_the_clock_was_set_back_still_counts() -> None:
    """Else all of them would be taken for old until the clock has caught up."""
    pace = slowed(100)
    pace.take(NOW_MS - 3_600_000)
    assert pace.slow(NOW_MS - 3_599_000, 100, NOW_MS - 3_598_000)


def test_a_pace_tells_its_state() -> None:
    """The repr shows from when to when it bounds what."""
    assert repr(slowed(100)) == f"<Pace from 50.0/s at {NOW_MS} until {NOW_MS + 15_000}>"
