"""The lane's queue: who goes first, how businesses share, and who is sent to wait elsewhere."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.business_line import WORTH_MS
from streamer.core.lane_queue import LaneQueue
from streamer.core.waiting import Waiting

_arrivals = count()


def one(
    item: str = "",
    business: str = "a",
    priority: int = 5,
    promise_ms: int | None = None,
    retry: bool = False,
) -> Waiting[str]:
    """Return one that may wait; each is a second younger than the one before."""
    return Waiting(item, business, priority, promise_ms, retry, 10, next(_arrivals) * 1_000)


def queue_of(*waiting: Waiting[str], weights: dict[str, int] | None = None) -> LaneQueue[str]:
    """Return a queue in which these wait."""
    queue: LaneQueue[str] = LaneQueue(lambda business: (weights or {}).get(business, 1))
    for each in waiting:
        queue.push(each)
    return queue


def items(queue: LaneQueue[str]) -> str:
    """Pop all, and return their items."""
    return "".join(waiting.item for waiting in iter(queue.pop, None))


def test_priority_comes_first() -> None:
    """1 goes before 2, whoever came first and whatever was promised."""
    queue = queue_of(one("d", priority=9, promise_ms=1), one("b", priority=2, promise_ms=1), one("a", priority=1))
    queue.push(one("c", priority=5, retry=True))
    assert items(queue) == "abcd"


def test_promised_ones_come_first_within_a_priority() -> None:
    """In the order of their promises, and of equal ones in that of arrival."""
    queue = queue_of(one("d"), one("c", promise_ms=30), one("a", promise_ms=10), one("b", promise_ms=10, retry=True))
    assert items(queue) == "abcd"


def test_whoever_has_waited_for_long_goes_before_later_slots() -> None:
    """Slots promised behind a backlog never end; those that were in the queue before it must not wait for that."""
    first = one("a")
    due_ms = first.arrived_ms + WORTH_MS
    queue = queue_of(first, one("c", promise_ms=due_ms + 1), one("b", retry=True), one("d", promise_ms=due_ms + 5_000))
    queue.push(one("0", promise_ms=due_ms))
    assert items(queue) == "0acbd"


def test_fresh_ones_and_retries_take_turns() -> None:
    """Neither starves the other; each is first come, first served."""
    queue = queue_of(*(one(item, retry=item.isupper()) for item in "ABCDxyz"))
    assert items(queue) == "xAyBzCD"


def test_turns_go_on_while_others_arrive() -> None:
    """A stream of fresh ones lets each second place to the retries."""
    queue = queue_of(one("R", retry=True), one("S", retry=True))
    seen = ""
    for item in "abcd":
        queue.push(one(item))
        popped = queue.pop()
        assert popped is not None
        seen += popped.item
    assert seen == "aRbS"


@given(st.integers(1, 16), st.integers(1, 16), st.integers(1, 80), st.booleans(), st.booleans())
def test_businesses_share_by_weight(
    weight_a: int, weight_b: int, starts: int, one_by_one: bool, asked_in_vain: bool
) -> None:
    """Of any number of starts each has its share to within one, even a business that waits one item at a time.

    Nor does it matter that the lane asked in between when nobody was allowed to start.
    """
    queue = queue_of(weights={"a": weight_a, "b": weight_b})
    for _ in range(1 if one_by_one else starts):
        queue.push(one(business="a"))
    for _ in range(starts):
        queue.push(one(business="b"))
    begun: Counter[str] = Counter()
    for number in range(1, starts + 1):
        popped = queue.pop()
        assert popped is not None
        begun[popped.business] += 1
        if asked_in_vain:
            assert queue.pop(lambda _: False) is None
        if one_by_one and popped.business == "a":
            queue.push(one(business="a"))
        assert abs(begun["b"] - number * weight_b / (weight_a + weight_b)) <= 1


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 60), st.sets(st.integers(0, 5)))
def test_a_newcomer_waits_for_one_turn_of_each_other_at_most(
    weights: list[int], starts: int, blocked: set[int]
) -> None:
    """However many wait before it, whatever their weights, and whoever was not allowed to start meanwhile."""
    names = [str(number) for number in range(len(weights))]
    queue = queue_of(weights=dict(zip(names, weights, strict=True)))
    for name in names:
        for _ in range(80):
            queue.push(one(business=name))
    for _ in range(starts):
        queue.pop(lambda business: int(business) not in blocked)
    newcomer = one(business="new")
    queue.push(newcomer)
    before: Counter[str] = Counter()
    while (popped := queue.pop()) is not newcomer:
        assert popped is not None
        before[popped.business] += 1
    assert all(turns == 1 for turns in before.values())


def test_a_hundred_thousand_of_one_business_do_not_delay_another() -> None:
    """The newcomer is the second to go."""
    queue = queue_of()
    for _ in range(100_000):
        queue.push(one(business="a"))
    assert queue.pop() is not None
    queue.push(one("new", business="b"))
    assert "new" in [popped.item for popped in (queue.pop(), queue.pop()) if popped]
    assert queue.waiting_of("a") == 99_998


def test_a_business_that_may_not_start_is_passed_over() -> None:
    """The next one goes in its place; when none may, nobody does, and nobody is lost."""
    queue = queue_of(one("a"), one("b", business="b"), one("c"))
    popped = queue.pop(lambda business: business == "b")
    assert popped is not None
    assert popped.item == "b"
    assert queue.pop(lambda _: False) is None
    assert items(queue) == "ac"


def test_a_business_that_might_not_start_has_collected_no_turns() -> None:
    """After a long time at its cap it takes turns again, and does not catch up."""
    queue = queue_of()
    for _ in range(60):
        for business in "abc":
            queue.push(one(business, business=business))
    for _ in range(30):
        queue.pop(lambda business: business != "a")
    popped = [queue.pop() for _ in range(9)]
    assert Counter(waiting.business for waiting in popped if waiting) == {"a": 3, "b": 3, "c": 3}


def test_a_question_that_fails_loses_nobody() -> None:
    """Those whose turn it was still have it."""

    def may(business: str) -> bool:
        if business == "b":
            raise LookupError(business)
        return False

    queue = queue_of(one("a"), one("b", business="b"))
    with pytest.raises(LookupError):
        queue.pop(may)
    assert items(queue) == "ab"


def test_the_worst_is_of_the_business_with_most_for_its_weight() -> None:
    """Eight that count for two are fewer than five that count for one."""
    queue = queue_of(weights={"a": 2, "b": 1})
    for _ in range(8):
        queue.push(one(business="a"))
    for _ in range(5):
        queue.push(one(business="b"))
    assert [worst.business for worst in (queue.worst(), queue.worst()) if worst] == ["b", "a"]


def test_the_worst_is_the_newest_of_the_last_priority() -> None:
    """Promised ones are sent away last, the latest promise first."""
    queue = queue_of(
        one("g", priority=1),
        one("f", priority=9, promise_ms=10),
        one("e", priority=9, promise_ms=10),
        one("d", priority=9, promise_ms=20),
        one("c", priority=9),
        one("b", priority=9, retry=True),
        one("a", priority=9),
    )
    assert "".join(worst.item for worst in iter(queue.worst, None)) == "abcdefg"


def test_what_is_removed_or_dropped_does_not_go() -> None:
    """Each is told once, and its bytes are free."""
    waiting = [one(item, business=item, promise_ms=1 if item in "bd" else None) for item in "abcde"]
    queue = queue_of(*waiting)
    assert [queue.remove(waiting[1]), queue.remove(waiting[1])] == [True, False]
    assert [dropped.item for dropped in queue.drop(lambda item: item in "ac")] == ["a", "c"]
    assert (len(queue), queue.bytes) == (2, 20)
    assert items(queue) == "de"
    assert not queue.remove(waiting[4])


def test_one_that_went_may_wait_again() -> None:
    """But not twice at once: it would be sent twice."""
    again = one("a", promise_ms=5)
    queue = queue_of(again, one("b", promise_ms=7))
    with pytest.raises(ValueError, match="waits already"):
        queue.push(again)
    assert queue.remove(again)
    again.promise_ms = 9
    queue.push(again)
    assert items(queue) == "ba"


def test_the_age_is_that_of_the_one_that_came_first() -> None:
    """Never negative, and 0 when nobody waits."""
    first, second = one(), one(priority=1)
    queue = queue_of(first, second)
    assert (queue.oldest_ms(first.arrived_ms + 1_500.5), queue.oldest_ms(0)) == (1_500, 0)
    assert queue.pop() is second
    assert queue.pop() is first
    assert queue.oldest_ms(10**12) == 0


def test_an_empty_queue_keeps_nothing() -> None:
    """After whatever was in it; and all its questions have an answer."""
    queue = queue_of(one(), one(business="b", promise_ms=4), one(business="c", retry=True))
    queue.pop()
    queue.worst()
    queue.drop(lambda _: True)
    assert (queue._turns, queue._waiting, queue.bytes, len(queue)) == (None, None, 0, 0)
    assert (queue.pop(), queue.worst(), queue.drop(lambda _: True), queue.waiting_of("a")) == (None, None, [], 0)


def test_businesses_that_went_are_forgotten_when_the_others_have_come_by() -> None:
    """Tenants that come and go do not fill the queue of one that stays."""
    queue = queue_of(one(business="stays"))
    for number in range(500):
        queue.push(one(business=f"goes-{number}"))
        queue.push(one(business="stays"))
        queue.pop()
        queue.pop()
    assert queue._turns is not None
    assert len(queue._turns._lines) == len(queue._turns._turns) <= 6


def test_a_queue_tells_its_state() -> None:
    """The repr shows how much waits."""
    assert repr(queue_of(one(), one())) == "<LaneQueue 2 waiting, 20 bytes>"
