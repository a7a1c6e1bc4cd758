"""One lane: first come, first served, never more than its limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.lane import Lane


def test_a_lane_starts_up_to_its_limit_and_then_lets_wait() -> None:
    """The first two may start, the next wait."""
    lane: Lane[str] = Lane(2)
    assert [lane.offer(item) for item in "abcd"] == [True, True, False, False]
    assert (lane.running, lane.waiting, lane.idle) == (2, 2, False)


def test_a_lane_that_runs_its_last_item_is_not_idle() -> None:
    """An empty queue alone makes no idle lane: it would be forgotten under the item that runs."""
    lane: Lane[str] = Lane(1)
    seen = [lane.idle]
    lane.offer("a")
    seen.append(lane.idle)
    lane.release()
    seen.append(lane.idle)
    assert seen == [True, False, True]


def test_a_lane_goes_on_in_the_order_of_arrival() -> None:
    """Each end starts the one that has waited longest, and the lane is idle after the last."""
    lane: Lane[str] = Lane(1)
    for item in "abc":
        lane.offer(item)
    assert [lane.release(), lane.release(), lane.release()] == ["b", "c", None]
    assert lane.idle


def test_a_newcomer_does_not_overtake() -> None:
    """A place that becomes free belongs to who waits."""
    lane: Lane[str] = Lane(1)
    lane.offer("a")
    lane.offer("b")
    assert lane.release() == "b"
    assert not lane.offer("c")
    assert lane.release() == "c"


def test_dropped_items_are_forgotten() -> None:
    """Items of a partition that went elsewhere do not start; the others keep their order."""
    lane: Lane[tuple[int, str]] = Lane(1)
    for item in [(0, "a"), (1, "b"), (0, "c"), (1, "d")]:
        lane.offer(item)
    assert lane.drop(lambda item: item[0] == 0) == 1
    assert (lane.running, lane.waiting) == (1, 2)
    assert [lane.release(), lane.release(), lane.release()] == [(1, "b"), (1, "d"), None]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_lane_without_room_is_refused(limit: int) -> None:
    """A limit below 1 would let everything wait for ever."""
    with pytest.raises(ValueError, match="allowed is 1 or more"):
        Lane(limit)


def test_an_end_without_a_start_is_a_fault() -> None:
    """An item that ends twice would let more run than the limit allows."""
    lane: Lane[str] = Lane(1)
    lane.offer("a")
    lane.release()
    with pytest.raises(ValueError, match="nothing runs"):
        lane.release()


def test_a_lane_tells_its_state() -> None:
    """The repr shows who runs and who waits."""
    lane: Lane[str] = Lane(1)
    lane.offer("a")
    lane.offer("b")
    assert repr(lane) == "<Lane running=1/1 waiting=1>"


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=80))
def test_everything_starts_once_in_order_within_the_limit(limit: int, offers: list[bool]) -> None:
    """However arrivals and ends mix, items start in the order of arrival and none is left behind."""
    lane: Lane[int] = Lane(limit)
    started: list[int] = []
    offered = 0
    for offering in offers:
        if offering:
            if lane.offer(offered):
                started.append(offered)
            offered += 1
        elif lane.running and (item := lane.release()) is not None:
            started.append(item)
        assert lane.running <= limit
        assert lane.running == limit or not lane.waiting
    while lane.running:
        if (item := lane.release()) is not None:
            started.append(item)
    assert started == list(range(offered))
    assert lane.idle
