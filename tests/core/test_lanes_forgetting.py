"""Lanes that are done leave no memory behind, but for what must not be forgotten."""

from __future__ import annotations

import tracemalloc
from math import inf

import pytest

from streamer.core.health import Health
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import lane_digest
from streamer.core.lanes import IDLE_MS, MOST_IDLE
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import parse_rate
from tests.core.lane_samples import waiting
from tests.core.lanes_hand import Hand
from tests.core.samples import NOW_MS

RATED = PolicyBook(settings=Policy(rate=parse_rate("10/s"), burst=1))
#: What an idle lane may weigh, its key and its place in the dictionaries included.
MOST_LANE_BYTES = 3_000


def test_an_idle_lane_is_forgotten_after_a_while() -> None:
    """One that runs, waits or has run a moment ago stays, for what it has measured."""
    hand = Hand(PolicyBook(settings=Policy(concurrency=1)))
    hand.offer("idle", 1)
    hand.end(1)
    hand.offer("busy", 2, 3)
    hand.now_ms += IDLE_MS - 1
    assert hand.lanes.forget_idle(hand.now_ms) == 0
    hand.now_ms += 1
    assert hand.lanes.forget_idle(hand.now_ms) == 1
    assert ([lane.key for lane in hand.lanes], len(hand.lanes), hand.lanes.take_gone()) == (["busy"], 1, ["idle"])
    assert hand.lanes.take_gone() == []


def test_a_forgotten_lane_goes_on_where_it_was() -> None:
    """Its pause, its breaker and its limiter's debt stand in the book of its partition."""
    hand = Hand(PolicyBook(domains={"slow": Policy(rate=parse_rate("1/h"), burst=1)}))
    for domain, item in (("paused", 1), ("slow", 2), ("plain", 3)):
        hand.offer(domain, item)
    hand.end(1, Health.LIMITED, pause_ms=600_000)
    hand.end_all()
    hand.lanes.changed.clear()
    hand.now_ms += IDLE_MS
    assert hand.lanes.forget_idle(hand.now_ms) == 3
    assert (len(hand.lanes), len(hand.book)) == (0, 2)
    assert hand.lane("paused").ready_ms(hand.now_ms)[0] == NOW_MS + 600_000
    assert hand.lane("slow").ready_ms(hand.now_ms)[0] == NOW_MS + 3_600_000


def test_a_lane_that_is_not_written_yet_is_not_forgotten() -> None:
    """Its pause would reach the book, but never the changelog."""
    hand = Hand()
    hand.offer("a", 1)
    hand.end(1, Health.LIMITED, pause_ms=1_000)
    hand.now_ms += IDLE_MS
    hand.lanes.forget_idle(hand.now_ms)
    assert len(hand.lanes) == 1
    hand.lanes.changed.clear()
    hand.lanes.forget_idle(hand.now_ms)
    assert len(hand.lanes) == 0


def test_what_the_changelog_may_forget_is_told() -> None:
    """A pause that stood in the book and is over when the lane is forgotten leaves a key to erase."""
    hand = Hand()
    hand.offer("a", 1)
    hand.end(1, Health.LIMITED, pause_ms=1_000)
    hand.book.keep(hand.lane().memory(NOW_MS), NOW_MS)
    hand.lanes.changed.clear()
    hand.now_ms += IDLE_MS
    hand.lanes.forget_idle(hand.now_ms)
    assert hand.lanes.erased == [(hand.book, lane_digest("a"))]


def test_a_closed_partitions_lanes_are_gone_and_their_calls_may_end() -> None:
    """Nobody of it begins any more; what runs gives its places back; what it knows stays with its book."""
    hand = Hand(PolicyBook(settings=Policy(concurrency=1), businesses={"acme": Policy(concurrency=1)}), total=2)
    hand.offer("a", 1, 2)
    other = LaneBook()
    hand.lanes.offer(hand.lanes.lane("b", 0, other, NOW_MS), waiting(3, "acme"))
    hand.lane("a").pause(NOW_MS + 60_000)
    hand.lanes.close(hand.book, NOW_MS)
    assert ([lane.key for lane in hand.lanes], hand.lanes.running) == (["b"], 1)
    assert hand.look() == []
    assert hand.end(1) == [3]
    assert (hand.lanes.running, len(hand.lanes)) == (1, 1)
    memory = hand.book.get("a")
    assert memory is not None
    assert memory.paused_until_ms == NOW_MS + 60_000
    assert hand.lane("a").ready_ms(NOW_MS)[0] == NOW_MS + 60_000


def test_a_call_of_a_closed_partition_that_ends_late_forgets_nobody_elses_lane() -> None:
    """The lane of the same name that the partition's next assignment has made is another one."""
    hand = Hand()
    hand.offer("a", 1)
    hand.lanes.close(hand.book, NOW_MS)
    for number in range(MOST_IDLE + 1):
        hand.lane(f"d{number}.example")
    again = hand.lane("a")
    hand.end(1)
    assert hand.lane("a") is again
    assert len(hand.lanes) == MOST_IDLE + 2


def test_closing_one_partition_leaves_the_others_news_alone() -> None:
    """Figures and keys of another partition's forgotten lanes are still to be removed."""
    hand = Hand()
    other = LaneBook()
    for book, domain in ((hand.book, "a"), (other, "b")):
        lane = hand.lanes.lane(domain, 0, book, NOW_MS)
        lane.pause(NOW_MS + 1_000)
        book.keep(lane.memory(NOW_MS), NOW_MS)
    hand.now_ms += IDLE_MS
    hand.lanes.forget_idle(hand.now_ms)
    hand.lanes.close(hand.book, hand.now_ms)
    assert hand.lanes.erased == [(other, lane_digest("b"))]
    assert hand.lanes.take_gone() == ["b"]


def test_those_who_wait_can_be_dropped() -> None:
    """At a drain nothing more may begin, in one partition or in all; what runs goes on."""
    hand = Hand(PolicyBook(settings=Policy(concurrency=1)))
    other = LaneBook()
    hand.offer("a", 1, 2)
    for item in (3, 4):
        hand.lanes.offer(hand.lanes.lane("b", 0, other, NOW_MS), waiting(item))
    assert hand.look() == [3]
    hand.lanes.drop(hand.book)
    assert (hand.lanes.waiting, hand.end(1)) == (1, [])
    hand.lanes.drop()
    assert (hand.lanes.waiting, hand.end(3), hand.lanes.running) == (0, [], 0)


@pytest.mark.parametrize("count", [12_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_hundred_thousand_domains_one_after_the_other(count: int) -> None:
    """No more idle lanes than the bound are kept, and nothing else of those that are gone."""
    hand = Hand(RATED)
    for number in range(count):
        hand.offer(f"d{number}.example", number)
        hand.end(number)
        hand.now_ms += 1
    lanes = hand.lanes
    assert len(lanes) <= MOST_IDLE
    lanes.take_gone()
    hand.now_ms += IDLE_MS
    lanes.forget_idle(hand.now_ms)
    hand.book.forget_trivial(int(hand.now_ms))
    hand.look()
    assert (len(lanes), len(lanes.active), len(lanes.changed), len(lanes._wakes), lanes.next_ms()) == (0, 0, 0, 0, inf)
    assert (len(lanes._touched), len(lanes._turns), len(lanes._in_turns), len(lanes._blocked)) == (0, 0, 0, 0)
    assert len(hand.book) == 0


def test_lanes_that_send_everything_away_leave_no_wakes_behind() -> None:
    """A wake of a lane that nobody waits in would keep it in memory until then: for a pause without end, for ever."""
    hand = Hand()
    for number in range(2_000):
        lane = hand.lane(f"d{number}.example")
        lane.pause(NOW_MS + 3_600_000)
        hand.offer(lane.key, number)
    hand.lanes.changed.clear()
    hand.now_ms += IDLE_MS
    hand.lanes.forget_idle(hand.now_ms)
    assert (len(hand.put_off), len(hand.lanes)) == (2_000, 0)
    assert len(hand.lanes._wakes) == 0


def test_an_idle_lane_weighs_little() -> None:
    """Measured with a rate, after one call, its key included; queue and failure count are made when first needed."""
    hand = Hand(RATED)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(2_000):
            hand.offer(f"domain-{number}.example", number)
            hand.end(number)
        each = (tracemalloc.get_traced_memory()[0] - before) / 2_000
    finally:
        tracemalloc.stop()
    assert 500 < each < MOST_LANE_BYTES
