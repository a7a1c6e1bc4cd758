"""Retry policies: how many attempts, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.request import Backoff, RetryPolicy
from streamer.core.retry import next_retry_at

NOW_MS = 1_700_000_000_000
MIDDLE = 0.5  # the chance that leaves a delay as it is
LAST = 1 - 2**-53  # the largest number below 1

units = st.floats(0, 1, exclude_max=True)
backoffs = st.builds(
    Backoff,
    initial_ms=st.integers(1, 10**7),
    multiplier=st.floats(1, 1_000),
    max_ms=st.integers(1, 10**10),
    jitter=st.floats(0, 1),
)


def delays_ms(policy: RetryPolicy, unit: float = MIDDLE, limit: int = 100) -> list[int]:
    """Return the delays that a policy gives, one after the other."""
    delays: list[int] = []
    for attempt in range(1, limit + 1):
        due_at_ms = next_retry_at(policy, attempt, NOW_MS, unit)
        if due_at_ms is None:
            break
        delays.append(due_at_ms - NOW_MS)
    return delays


def backing_off(backoff: Backoff, max_attempts: int | None = 5) -> RetryPolicy:
    """Return a policy that backs off."""
    return RetryPolicy(intervals_ms=None, backoff=backoff, max_attempts=max_attempts)


def test_the_default_policy() -> None:
    """A task that says nothing is tried five times, after 1 m, 5 m, 30 m and 2 h."""
    assert delays_ms(RetryPolicy()) == [60_000, 300_000, 1_800_000, 7_200_000]


def test_no_intervals_are_one_attempt() -> None:
    """An empty list of intervals allows no retry."""
    assert delays_ms(RetryPolicy(intervals_ms=())) == []


@pytest.mark.parametrize("unit", [0.0, LAST])
def test_intervals_are_exact_and_count_by_themselves(unit: float) -> None:
    """Intervals know no jitter, and a left-over max_attempts cuts none of them off."""
    intervals = tuple(range(1_000, 11_000, 1_000))
    assert delays_ms(RetryPolicy(intervals_ms=intervals, max_attempts=5), unit) == list(intervals)


def test_the_default_backoff() -> None:
    """Backoff begins at a second, doubles, and gives five attempts."""
    assert delays_ms(backing_off(Backoff())) == [1_000, 2_000, 4_000, 8_000]


def test_backoff_stops_growing_at_its_maximum() -> None:
    """Delays stay at max_ms once they have reached it."""
    growing = backing_off(Backoff(initial_ms=1_000, multiplier=3, max_ms=10_000), max_attempts=6)
    assert delays_ms(growing) == [1_000, 3_000, 9_000, 10_000, 10_000]


@pytest.mark.parametrize(("unit", "expected"), [(0.0, 800), (0.25, 900), (0.5, 1_000), (LAST, 1_200)])
def test_jitter_spreads_a_delay_to_both_sides(unit: float, expected: int) -> None:
    """A jitter of 0.2 places a second between 0.8 and 1.2 s."""
    policy = backing_off(Backoff(initial_ms=1_000, jitter=0.2))
    assert next_retry_at(policy, 1, NOW_MS, unit) == NOW_MS + expected


def test_full_jitter_reaches_from_nothing_to_twice_the_delay() -> None:
    """A jitter of 1 may leave no delay at all, and never a negative one."""
    policy = backing_off(Backoff(initial_ms=1_000, jitter=1.0))
    assert [next_retry_at(policy, 1, NOW_MS, unit) for unit in (0.0, LAST)] == [NOW_MS, NOW_MS + 2_000]


def test_one_attempt_by_backoff() -> None:
    """A max_attempts of 1 allows no retry."""
    assert delays_ms(backing_off(Backoff(), max_attempts=1)) == []


@pytest.mark.parametrize("attempt", [1_025, 10**6, 10**12])
def test_an_unlimited_task_is_tried_for_ever(attempt: int) -> None:
    """A power that no float can hold is the maximum delay, not an error."""
    assert next_retry_at(backing_off(Backoff(), None), attempt, NOW_MS, MIDDLE) == NOW_MS + 60_000


def test_a_policy_without_any_rule_is_a_fault() -> None:
    """Neither intervals nor backoff is no policy."""
    with pytest.raises(ValueError, match="intervals_ms or backoff"):
        next_retry_at(RetryPolicy(intervals_ms=None), 1, NOW_MS, MIDDLE)


@given(backoffs, st.integers(1, 10**9), units)
def test_a_backoff_stays_within_its_bounds(backoff: Backoff, attempt: int, unit: float) -> None:
    """A delay is never negative and exceeds max_ms by no more than the jitter."""
    due_at_ms = next_retry_at(backing_off(backoff, None), attempt, NOW_MS, unit)
    assert due_at_ms is not None
    assert 0 <= due_at_ms - NOW_MS <= backoff.max_ms * (1 + backoff.jitter) + 1


@given(backoffs, st.integers(1, 2_000), units)
def test_a_later_attempt_waits_no_less(backoff: Backoff, attempt: int, unit: float) -> None:
    """By the same chance, the delays of a backoff never fall."""
    policy = backing_off(backoff, None)
    earlier, later = (next_retry_at(policy, n, NOW_MS, unit) for n in (attempt, attempt + 1))
    assert earlier is not None
    assert later is not None
    assert later >= earlier


@given(backoffs, st.integers(1, 50), units)
def test_a_policy_gives_as_many_attempts_as_it_says(backoff: Backoff, max_attempts: int, unit: float) -> None:
    """The retries and the first attempt are max_attempts together."""
    assert len(delays_ms(backing_off(backoff, max_attempts), unit)) == max_attempts - 1
