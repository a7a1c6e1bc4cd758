"""Places that are kept for the business that comes next: only while several use a lane, and never more than a tenth."""

from __future__ import annotations

import pytest

from streamer.core.caps import CapCounts
from streamer.core.places import LATELY_MS, Places
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from tests.core.lanes_hand import Hand
from tests.core.samples import NOW_MS

A, B = "acme", "bolt"


def lane_of(concurrency: int) -> Hand:
    return Hand(PolicyBook(settings=Policy(concurrency=concurrency)))


def most_of(places: Places, business: str, room: int, now_ms: float) -> int:
    """Let a business begin calls until it may begin no more; return how many it has."""
    count = 0
    while count < room and places.may(business, room, now_ms):
        places.take(business)
        count += 1
    return count


@pytest.mark.parametrize(("room", "most"), [(1, 1), (3, 3), (4, 3), (19, 18), (20, 18), (100, 90)])
def test_one_of_several_businesses_has_all_but_a_tenth(room: int, most: int) -> None:
    """At least one place is kept, and in a small lane none: one of two would be half of it."""
    places = Places()
    places.came(A, NOW_MS)
    places.came(B, NOW_MS)
    assert most_of(places, A, room, NOW_MS) == most


def test_business_by_itself_has_every_place() -> None:
    """Nothing is kept for somebody who has not been seen."""
    places = Places()
    for at_ms in range(3):
        places.came(A, NOW_MS + at_ms)
    assert most_of(places, A, 20, NOW_MS) == 20


def test_business_that_was_not_seen_for_a_minute_is_kept_no_place() -> None:
    """What is kept for nobody would be lost to the one who is there."""
    places = Places()
    places.came(B, NOW_MS)
    places.came(A, NOW_MS)
    assert most_of(places, A, 20, NOW_MS + LATELY_MS - 1) == 18
    assert most_of(places, A, 20, NOW_MS + LATELY_MS) == 20


def test_a_business_and_its_part_under_a_policy_are_one() -> None:
    """A policy with a cap of its own takes turns by itself, but nothing is kept free for it from its own business."""
    caps = CapCounts(PolicyBook(policies={"bulk": Policy(concurrency=50)}))
    part = caps.taker(A, "bulk")
    assert part != A
    places = Places()
    places.came(A, NOW_MS)
    places.came(part, NOW_MS)
    assert most_of(places, part, 20, NOW_MS) == 20
    places.came(B, NOW_MS)
    assert not places.may(A, 20, NOW_MS)
    places.give_back(A)


def test_calls_that_ended_free_their_places() -> None:
    """Each is counted once; to end one that never began is a fault of the caller's."""
    places = Places()
    places.came(B, NOW_MS)
    places.came(A, NOW_MS)
    assert most_of(places, A, 20, NOW_MS) == 18
    places.give_back(A)
    assert places.may(A, 20, NOW_MS)
    with pytest.raises(ValueError, match="bolt"):
        places.give_back(B)


def test_newcomer_begins_at_once_beside_a_full_lane_of_another() -> None:
    """B's task is not to wait for the end of one of A's calls, however many of A's wait."""
    hand = lane_of(20)
    assert hand.offer("a", 1_000, business=B) == [1_000]
    hand.end(1_000)
    assert len(hand.offer("a", *range(100), business=A)) == 18
    assert hand.offer("a", 1_001, 1_002, business=B) == [1_001, 1_002]
    assert hand.offer("a", 1_003, business=B) == []
    # Now all are taken, and they take turns again.
    assert hand.end(0) == [18]
    assert hand.end(1) == [1_003]
    # With B's calls over its places are kept for it again.
    assert hand.end(1_001) == [19]
    assert hand.end(1_002) == hand.end(1_003) == []
    assert hand.offer("a", 1_004, business=B) == [1_004]


def test_lane_that_kept_places_fills_again_once_the_other_is_gone() -> None:
    """After a minute without B, A's next look takes every place."""
    hand = lane_of(20)
    hand.offer("a", 1_000, business=B)
    hand.end(1_000)
    hand.offer("a", *range(100), business=A)
    hand.now_ms += LATELY_MS
    assert len(hand.end(0)) == 3
    assert len(hand.running) == 20
