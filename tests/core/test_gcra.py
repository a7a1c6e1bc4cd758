"""The rate limiter: no window ever holds more than its share, whatever changes, and no more time is wasted than that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.clock_step import JITTER_MS
from streamer.core.gcra import Gcra
from streamer.core.rate import Rate, parse_rate
from tests.core.samples import NOW_MS

START_MS = 1_790_000_000_000
#: What a float may be wrong by, in calls.
HAIR = 1e-6

rates = st.builds(Rate, st.integers(1, 2_000), st.sampled_from([100, 1_000, 7_000, 60_000, 3_600_000]))
bursts = st.integers(1, 20)
gaps = st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 5_000), st.floats(0, 300), st.integers(0, 10_000_000))


def go(gcra: Gcra, now_ms: float, wanted: int) -> int:
    """Begin calls at one instant, at most ``wanted``, while the limiter lets them; return how many."""
    for begun in range(wanted):
        if gcra.next_ms(now_ms) > now_ms:
            return begun
        gcra.take(now_ms)
    return wanted


def assert_bounded(calls: list[float], rate: Rate, burst: int) -> None:
    """Check each window from one call to a later one."""
    for first, from_ms in enumerate(calls):
        for last in range(first, len(calls)):
            allowed = abs(calls[last] - from_ms) / rate.spacing_ms + burst
            assert last - first + 1 <= allowed + HAIR


@given(rates, bursts, st.lists(st.tuples(gaps, st.integers(0, 25), st.integers(0, JITTER_MS - 1)), max_size=25))
def test_any_window_holds_at_most_its_share(rate: Rate, burst: int, steps: list[tuple[float, int, int]]) -> None:
    """Calls that go only when told to are t / spacing + burst at most, also when the clock jitters."""
    gcra, clock_ms, calls = Gcra(rate, burst), float(START_MS), []
    for gap_ms, wanted, jitter_ms in steps:
        clock_ms += gap_ms
        now_ms = clock_ms - jitter_ms
        calls += [now_ms] * go(gcra, now_ms, wanted)
    assert_bounded(calls, rate, burst)


@given(rates, bursts, st.integers(1, 60))
def test_nothing_is_wasted(rate: Rate, burst: int, calls: int) -> None:
    """Who calls as soon as told begins with a burst and goes on at an even spacing."""
    gcra = Gcra(rate, burst)
    now_ms = float(START_MS)
    for call in range(calls):
        now_ms = gcra.next_ms(now_ms)
        assert now_ms == START_MS + max(0, call + 1 - burst) * gcra.spacing_ms
        gcra.take(now_ms)
    assert rate.spacing_ms <= gcra.spacing_ms <= rate.spacing_ms + 1 / 2048


@given(rates, bursts, st.integers(0, 50), gaps)
def test_the_next_instant_is_one_at_which_a_call_may_go(rate: Rate, burst: int, calls: int, gap_ms: float) -> None:
    """Who waits until then need not ask twice, and it is never in the past."""
    gcra = Gcra(rate, burst)
    go(gcra, START_MS, calls)
    next_ms = gcra.next_ms(START_MS + gap_ms)
    assert next_ms >= START_MS + gap_ms
    assert gcra.next_ms(next_ms) == next_ms


@given(
    rates,
    bursts,
    st.lists(st.tuples(gaps, st.integers(0, 25)), max_size=12),
    st.lists(st.tuples(gaps, st.integers(0, 25)), max_size=12),
    st.booleans(),
)
def test_a_taken_over_lane_joins_its_history(
    rate: Rate, burst: int, before: list[tuple[float, int]], after: list[tuple[float, int]], known: bool
) -> None:
    """The windows hold over both owners, whether or not the new one knows the old one's time."""
    old, now_ms, calls = Gcra(rate, burst), float(START_MS), []
    for gap_ms, wanted in before:
        now_ms += gap_ms
        calls += [now_ms] * go(old, now_ms, wanted)
    new = Gcra(rate, burst, old.tat_ms if known else 0.0)
    new.empty(now_ms)
    assert new.next_ms(now_ms) == now_ms + new.spacing_ms
    for gap_ms, wanted in after:
        now_ms += gap_ms
        calls += [now_ms] * go(new, now_ms, wanted)
    assert_bounded(calls, rate, burst)


@given(st.lists(st.tuples(gaps, st.integers(0, 25), st.none() | st.tuples(rates, bursts)), max_size=25))
def test_windows_hold_over_changed_limits(steps: list[tuple[float, int, tuple[Rate, int] | None]]) -> None:
    """A window holds the burst with which it began, and what the rates in it let flow; no flapping frees a burst."""
    gcra, now_ms, flown = Gcra(Rate(10, 1_000), 10), float(START_MS), 0.0
    #: Of each call: how many could have flowed until then, and the burst of its time.
    calls: list[tuple[float, int]] = []
    for gap_ms, wanted, limits in steps:
        now_ms += gap_ms
        flown += gap_ms / gcra.spacing_ms
        if limits is not None:
            gcra.change(*limits, now_ms)
            assert gcra.next_ms(now_ms) <= now_ms + gcra.spacing_ms * (1 + HAIR)
        calls += [(flown, gcra.burst)] * go(gcra, now_ms, wanted)
    for first, (from_flown, burst) in enumerate(calls):
        for last in range(first, len(calls)):
            assert last - first + 1 <= calls[last][0] - from_flown + burst + 1e-3


def test_a_flapping_setting_frees_no_burst() -> None:
    """An emptied bucket stays empty through a narrow setting and back."""
    gcra = Gcra(Rate(10, 1_000), 10)
    assert go(gcra, START_MS, 99) == 10
    gcra.change(Rate(1, 3_600_000), 1, START_MS)
    gcra.change(Rate(10, 1_000), 10, START_MS)
    assert go(gcra, START_MS, 99) == 0
    assert gcra.next_ms(START_MS) == START_MS + 100


def test_a_full_bucket_that_was_narrowed_fills_again_at_the_rate() -> None:
    """What a narrow burst cut off does not come back by widening it."""
    gcra = Gcra(Rate(10, 1_000), 10)
    gcra.change(Rate(10, 1_000), 1, START_MS)
    gcra.change(Rate(10, 1_000), 10, START_MS)
    assert go(gcra, START_MS, 99) == 1
    assert go(gcra, START_MS + 500, 99) == 5


def test_a_slow_rates_debt_does_not_outlast_it() -> None:
    """A call at one an hour makes nobody wait an hour once ten a second are allowed."""
    gcra = Gcra(parse_rate("1/h"), 1)
    gcra.take(START_MS)
    assert gcra.next_ms(START_MS) == START_MS + 3_600_000
    gcra.change(parse_rate("10/s"), 1, START_MS + 1_000)
    assert gcra.next_ms(START_MS + 1_000) == pytest.approx(START_MS + 1_100, abs=1)


def test_the_same_limits_change_nothing() -> None:
    """A setting that is read again does not move the limiter's time."""
    gcra = Gcra(Rate(3, 1_000), 2)
    gcra.take(START_MS)
    tat_ms = gcra.tat_ms
    gcra.change(Rate(3, 1_000), 2, START_MS + 10_000)
    assert gcra.tat_ms == tat_ms


@given(rates, bursts, st.integers(0, 40), gaps, st.integers(JITTER_MS + 1, 10**11))
def test_a_clock_that_is_set_back_makes_nobody_wait_longer(
    rate: Rate, burst: int, calls: int, gap_ms: float, back_ms: int
) -> None:
    """The wait after the step is the wait before it."""
    gcra, now_ms = Gcra(rate, burst), START_MS + gap_ms
    go(gcra, START_MS, calls)
    wait_ms = gcra.next_ms(now_ms) - now_ms
    assert gcra.next_ms(now_ms - back_ms) - (now_ms - back_ms) <= wait_ms + HAIR


@given(rates, bursts, st.lists(st.tuples(st.integers(-(10**10), 10**10), st.integers(0, 30)), max_size=20))
def test_no_clock_makes_a_call_wait_for_more_than_a_spacing(
    rate: Rate, burst: int, steps: list[tuple[int, int]]
) -> None:
    """However the clock jumps, the wait is bounded by one spacing and what counts as jitter."""
    gcra, now_ms = Gcra(rate, burst), START_MS
    for gap_ms, wanted in steps:
        now_ms += gap_ms
        assert now_ms <= gcra.next_ms(now_ms) <= now_ms + gcra.spacing_ms + JITTER_MS
        go(gcra, now_ms, wanted)


def test_a_clock_that_was_set_back_between_calls_is_followed_by_each_of_them() -> None:
    """Whatever is asked first after the step: of two calls at once one is still free."""
    taken, changed = Gcra(Rate(10, 1_000), 3), Gcra(Rate(10, 1_000), 3)
    back_ms = START_MS - 3_600_000
    for gcra in (taken, changed):
        gcra.take(START_MS)
    taken.take(back_ms)
    changed.change(Rate(20, 1_000), 3, back_ms)
    assert (go(taken, back_ms, 9), go(changed, back_ms, 9)) == (1, 2)


def test_calls_that_nobody_asked_leave_for_are_no_debt_under_changed_limits() -> None:
    """More than an empty bucket is not owed: the next call waits for one spacing."""
    gcra = Gcra(Rate(10, 1_000), 1)
    for _ in range(5):
        gcra.take(START_MS)
    assert gcra.next_ms(START_MS) == START_MS + 500
    gcra.change(Rate(10, 1_000), 2, START_MS)
    assert gcra.next_ms(START_MS) == START_MS + 100


def test_a_time_from_a_wrong_clock_does_not_stop_the_lane() -> None:
    """A worker whose clock was a year ahead left its time behind: the next call waits for one spacing."""
    gcra = Gcra(Rate(10, 1_000), 10, START_MS + 3.2e10)
    assert gcra.next_ms(START_MS) == START_MS + 100
    assert gcra.next_ms(START_MS + 100) == START_MS + 100


@pytest.mark.parametrize("burst", [0, -1])
def test_a_burst_is_at_least_one(burst: int) -> None:
    """A bucket that holds nothing would never let a call go."""
    with pytest.raises(ValueError, match="allowed is 1 or more"):
        Gcra(Rate(1, 1_000), burst)


def test_a_limiter_tells_its_state() -> None:
    """The repr shows the limits and the time."""
    assert repr(Gcra(Rate(10, 1_000), 5, 7)) == "<Gcra 10/s burst=5 tat=7.0>"


@given(st.integers(2, 50), st.integers(1, 2_000), st.data())
def test_calls_whose_ways_differ_keep_to_the_limit_at_the_receiver(
    burst: int, spacing_ms: int, data: st.DataObject
) -> None:
    """What is kept in hand of the burst covers ways that differ by as much, at most half of it."""
    way_ms = 100.0
    gcra = Gcra(Rate(1, spacing_ms), burst, way_ms=way_ms)
    differ_ms = min(way_ms, (burst - 1) * spacing_ms / 2)
    arrived, now_ms = [], float(NOW_MS)
    for _ in range(3 * burst):
        now_ms = gcra.next_ms(now_ms + data.draw(st.sampled_from([0, 0, 0, 1, spacing_ms, 5 * spacing_ms])))
        gcra.take(now_ms)
        arrived.append(now_ms + data.draw(st.sampled_from([0.0, differ_ms / 2, differ_ms])))
    arrived.sort()
    for first, at_ms in enumerate(arrived):
        for last in range(first, len(arrived)):
            assert last - first + 1 <= (arrived[last] - at_ms) / spacing_ms + burst + 1e-6
