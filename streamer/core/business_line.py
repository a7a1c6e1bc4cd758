"""Who of one business waits in a lane, and in which order they go.

Must not know other businesses, nor what waits.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic

from streamer.core.promise_heap import PromiseHeap
from streamer.core.waiting import Item, Waiting

#: A place in the queue is worth a slot this long after one came: promised slots that lie later wait for it. Else those
#: that came before a backlog would wait in hand until the last promise is kept, and hold up their partition's commits.
WORTH_MS = 5_000


class _Rank(Generic[Item]):
    """Those of one priority: promised ones first, then fresh ones and retries in turns, each first come, first served.

    A promise goes before one that has none unless its slot lies more than WORTH_MS after that one came.
    """

    __slots__ = ("_fresh", "_promised", "_retries", "_retry_next")

    def __init__(self) -> None:
        self._promised: PromiseHeap[Waiting[Item]] | None = None
        self._fresh: OrderedDict[Waiting[Item], int] | None = None
        self._retries: OrderedDict[Waiting[Item], int] | None = None
        self._retry_next = False

    def __bool__(self) -> bool:
        return bool(self._promised or self._fresh or self._retries)

    def push(self, waiting: Waiting[Item], order: int) -> None:
        if waiting.promise_ms is not None:
            if self._promised is None:
                self._promised = PromiseHeap()
            self._promised.push(waiting.promise_ms, order, waiting)
        elif waiting.retry:
            if self._retries is None:
                self._retries = OrderedDict()
            self._retries[waiting] = order
        else:
            if self._fresh is None:
                self._fresh = OrderedDict()
            self._fresh[waiting] = order

    def pop(self) -> Waiting[Item]:
        fresh, retries = self._fresh, self._retries
        turn = retries if retries and (self._retry_next or not fresh) else fresh
        if self._promised and (not turn or self._promised.earliest_ms() <= next(iter(turn)).arrived_ms + WORTH_MS):
            return self._promised.pop_earliest()
        assert turn, "an empty rank is taken out of its line"
        self._retry_next = turn is not retries
        return turn.popitem(last=False)[0]

    def pop_worst(self) -> Waiting[Item]:
        fresh, retries = self._fresh, self._retries
        if not fresh and not retries:
            assert self._promised, "an empty rank is taken out of its line"
            return self._promised.pop_latest()
        newest_fresh = fresh[next(reversed(fresh))] if fresh else -1
        newest_retry = retries[next(reversed(retries))] if retries else -1
        newest = fresh if newest_fresh > newest_retry else retries
        assert newest, "the newest is of the one that has any"
        return newest.popitem()[0]

    def remove(self, waiting: Waiting[Item]) -> None:
        if waiting.promise_ms is not None:
            assert self._promised, "who has a promise waits among the promised"
            self._promised.remove(waiting)
            return
        fifo = self._retries if waiting.retry else self._fresh
        assert fifo, "who waits is in the queue of its kind"
        del fifo[waiting]


class BusinessLine(Generic[Item]):
    """One business's line: priorities are strict, 1 first."""

    __slots__ = ("_ranks", "business", "count")

    def __init__(self, business: str) -> None:
        self.business = business
        self.count = 0
        self._ranks: dict[int, _Rank[Item]] = {}

    def push(self, waiting: Waiting[Item], order: int) -> None:
        """Let it wait; ``order`` is unique, and greater than those before it."""
        rank = self._ranks.get(waiting.priority)
        if rank is None:
            rank = self._ranks[waiting.priority] = _Rank()
        rank.push(waiting, order)
        self.count += 1

    def pop(self) -> Waiting[Item]:
        """Remove and return the one whose turn it is."""
        rank = self._ranks[min(self._ranks)]
        return self._taken(rank.pop(), rank)

    def pop_worst(self) -> Waiting[Item]:
        """Remove and return the one that should wait elsewhere: of the last priority the newest, promised ones at last."""
        rank = self._ranks[max(self._ranks)]
        return self._taken(rank.pop_worst(), rank)

    def remove(self, waiting: Waiting[Item]) -> None:
        """Remove one that waits here."""
        rank = self._ranks[waiting.priority]
        rank.remove(waiting)
        self._taken(waiting, rank)

    def _taken(self, waiting: Waiting[Item], rank: _Rank[Item]) -> Waiting[Item]:
        self.count -= 1
        if not rank:
            del self._ranks[waiting.priority]
        return waiting
