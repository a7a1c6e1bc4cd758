"""The lane's queue against plain lists: nothing lost, nothing doubled, and the right one of each business."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamer.core.business_line import WORTH_MS
from streamer.core.lane_queue import LaneQueue
from streamer.core.waiting import Waiting

WEIGHTS = {"a": 1, "b": 3, "c": 2, "d": 1}
businesses = st.sampled_from("abcd")


class LaneQueueAgainstLists(RuleBasedStateMachine):
    """Plays everything that may happen to a queue, with a list of those that wait, in the order they came."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: LaneQueue[int] = LaneQueue(WEIGHTS.__getitem__)
        self.model: list[Waiting[int]] = []
        self.went: list[Waiting[int]] = []
        #: Ranks (business and priority) whose last start, of those without a promise, was a fresh one's.
        self.retry_next: dict[tuple[str, int], bool] = {}
        self.pushed = 0

    def take(self, waiting: Waiting[int]) -> None:
        self.model.remove(waiting)
        self.went.append(waiting)
        if not self.rank(waiting.business, waiting.priority):
            self.retry_next.pop((waiting.business, waiting.priority), None)

    def rank(self, business: str, priority: int) -> list[Waiting[int]]:
        return [each for each in self.model if (each.business, each.priority) == (business, priority)]

    def next_of(self, business: str) -> Waiting[int]:
        priority = min(each.priority for each in self.model if each.business == business)
        rank = self.rank(business, priority)
        others = [each for each in rank if each.promise_ms is None]
        retries = [each for each in others if each.retry]
        fresh = [each for each in others if not each.retry]
        turn = retries if retries and (self.retry_next.get((business, priority)) or not fresh) else fresh
        if promised := [each for each in rank if each.promise_ms is not None]:
            first = min(promised, key=lambda each: each.promise_ms or 0)
            if not turn or (first.promise_ms or 0) <= turn[0].arrived_ms + WORTH_MS:
                return first
        return turn[0]

    def worst_of(self, business: str) -> Waiting[int]:
        priority = max(each.priority for each in self.model if each.business == business)
        rank = self.rank(business, priority)
        if unpromised := [each for each in rank if each.promise_ms is None]:
            return unpromised[-1]
        return max(reversed(rank), key=lambda each: each.promise_ms or 0)

    @rule(
        business=businesses,
        priority=st.integers(1, 3),
        promise_ms=st.none() | st.integers(0, 5) | st.integers(WORTH_MS, WORTH_MS + 60),
        retry=st.booleans(),
        size_bytes=st.integers(0, 9),
    )
    def push(self, business: str, priority: int, promise_ms: int | None, retry: bool, size_bytes: int) -> None:
        self.pushed += 1
        waiting = Waiting(self.pushed, business, priority, promise_ms, retry, size_bytes, self.pushed)
        self.queue.push(waiting)
        self.model.append(waiting)

    @precondition(lambda self: self.went)
    @rule(data=st.data())
    def push_again(self, data: st.DataObject) -> None:
        waiting = self.went.pop(data.draw(st.integers(0, len(self.went) - 1)))
        self.queue.push(waiting)
        self.model.append(waiting)

    @rule(allowed=st.none() | st.sets(businesses))
    def pop(self, allowed: set[str] | None) -> None:
        waiting = self.queue.pop(None if allowed is None else allowed.__contains__)
        may = {each.business for each in self.model} & (set("abcd") if allowed is None else allowed)
        if waiting is None:
            assert not may
            return
        assert waiting.business in may
        assert waiting is self.next_of(waiting.business)
        if waiting.promise_ms is None:
            self.retry_next[waiting.business, waiting.priority] = not waiting.retry
        self.take(waiting)

    @rule()
    def worst(self) -> None:
        waiting = self.queue.worst()
        if waiting is None:
            assert not self.model
            return
        crowds = {
            business: sum(each.business == business for each in self.model) / weight
            for business, weight in WEIGHTS.items()
        }
        assert crowds[waiting.business] == max(crowds.values())
        assert waiting is self.worst_of(waiting.business)
        self.take(waiting)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove_any(self, data: st.DataObject) -> None:
        waiting = data.draw(st.sampled_from(self.model))
        assert self.queue.remove(waiting)
        assert not self.queue.remove(waiting)
        self.take(waiting)

    @rule(remainder=st.integers(0, 4))
    def drop(self, remainder: int) -> None:
        gone = [each for each in self.model if each.item % 5 == remainder]
        assert self.queue.drop(lambda item: item % 5 == remainder) == gone
        for waiting in gone:
            self.take(waiting)

    @invariant()
    def figures_are_right(self) -> None:
        assert len(self.queue) == len(self.model)
        assert self.queue.bytes == sum(each.size_bytes for each in self.model)
        for business in WEIGHTS:
            assert self.queue.waiting_of(business) == sum(each.business == business for each in self.model)
        age_ms = 100 - self.model[0].arrived_ms if self.model else 0
        assert self.queue.oldest_ms(100) == max(0, age_ms)

    @invariant()
    def each_line_has_one_turn(self) -> None:
        turns = self.queue._turns
        assert (turns is None) == (not self.model)
        if turns is not None:
            lines = [line for _, _, line in turns._turns]
            assert sorted(line.business for line in lines) == sorted(turns._lines)
            assert all(turn >= turns._virtual for turn, _, _ in turns._turns)

    def teardown(self) -> None:
        left = list(iter(self.queue.pop, None))
        assert sorted(each.item for each in left) == sorted(each.item for each in self.model)


TestLaneQueueAgainstLists = LaneQueueAgainstLists.TestCase
TestLaneQueueAgainstLists.settings = settings(stateful_step_count=60)
