"""What a lane leaves behind, and how the next owner goes on with it (RULES 18)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.breaker import BreakerState
from streamer.core.delivery import Why
from streamer.core.health import Health
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import lane_digest, pack_lane
from tests.core.lane_samples import a_lane, call, closed_again, opened
from tests.core.samples import NOW_MS


def taken_over(lane: Lane[int], now_ms: float, rate: str | None = None, burst: int = 1) -> Lane[int]:
    """Return the lane as another worker opens it from what the changelog says."""
    book = LaneBook()
    book.recover(lane_digest(lane.key), pack_lane(lane.memory(now_ms)))
    book.take_over(now_ms)
    return a_lane(rate, burst, book=book, now_ms=now_ms)


def test_a_lane_that_nobody_knows_starts_one_interval_after_the_takeover() -> None:
    """RULES 18: nobody knows what the last owner's last calls were, so there is no burst left of them."""
    book = LaneBook()
    book.take_over(NOW_MS)
    lane = a_lane("10/s", burst=5, book=book)
    assert lane.ready_ms(NOW_MS)[0] == NOW_MS + 100
    rested = a_lane("10/s", burst=5, book=book, now_ms=NOW_MS + 10_000)
    begun = [call(rested, Health.OK, NOW_MS + 10_000) - NOW_MS for _ in range(6)]
    assert begun == [*[10_000] * 4, 10_100, 10_200]


def test_the_limiters_debt_goes_on_where_it_was() -> None:
    """A slow lane's next slot is neither nearer nor farther for the takeover."""
    lane = a_lane("1/m", book=LaneBook())
    call(lane, Health.OK, NOW_MS)
    assert taken_over(lane, NOW_MS + 1_000, "1/m").ready_ms(NOW_MS + 1_000)[0] == NOW_MS + 61_000
    lane = a_lane("10/m", burst=10)
    for _ in range(10):
        call(lane, Health.OK, NOW_MS)
    heir = taken_over(lane, NOW_MS + 1_000, "10/m", burst=10)
    assert heir.ready_ms(NOW_MS + 1_000)[0] == NOW_MS + 7_000


@given(st.lists(st.integers(0, 3_000), max_size=40), st.integers(1, 10), st.integers(0, 20_000))
def test_a_takeover_never_gives_more_than_the_rate(gaps_ms: list[int], burst: int, dead_ms: int) -> None:
    """Over the last calls of one owner and the first of the next, any window holds rate times its length plus the burst."""
    lane, at_ms = a_lane("2/s", burst), float(NOW_MS)
    begun = []
    for gap_ms in gaps_ms:
        at_ms = call(lane, Health.OK, at_ms + gap_ms)
        begun.append(at_ms)
    written_ms = begun[len(begun) // 2] if begun else at_ms
    # Only what was written by then is known: the worker died with the rest.
    heir = taken_over(a_lane("2/s", burst, now_ms=written_ms), at_ms := at_ms + dead_ms, "2/s", burst)
    for _ in range(2 * burst):
        at_ms = call(heir, Health.OK, at_ms)
        begun.append(at_ms)
    for first, since_ms in enumerate(begun):
        for last in range(first, len(begun)):
            assert last - first + 1 <= (begun[last] - since_ms) / 500 + burst


def test_a_receivers_pause_goes_on() -> None:
    """Who was told to stay away for ten minutes stays away, whichever worker asks."""
    lane = a_lane()
    call(lane, Health.LIMITED, NOW_MS, pause_ms=600_000)
    assert taken_over(lane, NOW_MS + 5_000).ready_ms(NOW_MS + 5_000) == (NOW_MS + 600_000, Why.RETRY_AFTER)


def test_an_open_breaker_stays_open_and_its_next_opening_is_longer() -> None:
    """A takeover is no reason to hope: the same instant, and half-open after it."""
    lane = opened(a_lane())
    heir = taken_over(lane, NOW_MS + 1_000)
    assert heir.ready_ms(NOW_MS + 1_000) == (NOW_MS + 10_000, Why.BREAKER)
    call(heir, Health.FAILED, NOW_MS + 10_000)
    assert heir.ready_ms(NOW_MS + 10_000)[0] == NOW_MS + 30_000


def test_a_half_open_breaker_is_asked_again() -> None:
    """Its probe was the last owner's; the next one sends its own."""
    lane = opened(a_lane())
    lane.begin(NOW_MS + 10_000)
    heir = taken_over(lane, NOW_MS + 11_000)
    assert heir.ready_ms(NOW_MS + 11_000)[0] == NOW_MS + 11_000
    assert heir.begin(NOW_MS + 11_000).probe


def test_a_pace_goes_on() -> None:
    """A lane that was slowed down is not at full speed again because it moved."""
    lane = a_lane("10/s")
    for second in range(10):
        for _ in range(10):
            call(lane, Health.OK, NOW_MS + second * 1_000)
    call(lane, Health.LIMITED, NOW_MS + 10_000)
    before = lane.allowed_per_s(NOW_MS + 10_000)
    heir = taken_over(lane, NOW_MS + 10_000, "10/s")
    assert heir.allowed_per_s(NOW_MS + 10_000) == pytest.approx(before)
    assert heir.ready_ms(NOW_MS + 10_000)[0] > NOW_MS + 10_100


def test_promises_go_on() -> None:
    """Slots that the last owner has promised are promised to nobody else."""
    lane = a_lane("1/s")
    slots = [lane.put_off(0, NOW_MS).promise_ms for _ in range(30)]
    assert slots[-1] is not None
    slot_ms = taken_over(lane, NOW_MS + 2_000, "1/s").put_off(0, NOW_MS + 2_000).promise_ms
    assert slot_ms == slots[-1] + 1_000


def test_a_rested_lane_leaves_nothing() -> None:
    """What nobody needs to know is not kept: an idle lane without pause, debt or opening."""
    lane = a_lane("10/s")
    call(lane, Health.OK, NOW_MS)
    assert not lane.memory(NOW_MS).trivial(NOW_MS)
    assert lane.memory(NOW_MS + 101).trivial(NOW_MS + 101)


def test_a_breaker_that_closed_leaves_nothing() -> None:
    """Else each domain that ever failed would stay in the changelog for ever."""
    lane = opened(a_lane())
    assert not lane.memory(NOW_MS).trivial(NOW_MS + 60_000)
    at_ms = closed_again(lane)
    assert lane.breaker.state is BreakerState.CLOSED
    assert lane.memory(at_ms).trivial(round(at_ms))
