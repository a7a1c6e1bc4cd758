"""Whose turn it is among the businesses of a lane, by weight.

Must not know what waits, nor who is urgent within a business.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic

from streamer.core.business_line import BusinessLine
from streamer.core.waiting import Item, Waiting

#: One turn of a business of weight 1 in virtual time; divisible by every weight up to 16, so that turns come out even.
_TURN = 720_720


class BusinessTurns(Generic[Item]):
    """Shares starts among businesses by start-time fair queueing (Goyal, Vin and Cheng, 1996).

    The line with the least virtual time goes next, and moves on by a turn over its weight. A newcomer starts at the time of
    the last start: behind those who wait for their turn now, before those who just had theirs. A line that ran empty keeps
    its time until the others have come by, else a business that waits one item at a time would go first each time. A line
    that may not start collects no turns.

    Invariant: a line stands in ``_turns`` exactly once, empty or not, while it is in ``_lines``.
    """

    __slots__ = ("_lines", "_order", "_turns", "_virtual", "_weight_of")

    def __init__(self, weight_of: Callable[[str], int]) -> None:
        self._weight_of = weight_of
        self._lines: dict[str, BusinessLine[Item]] = {}
        self._turns: list[tuple[int, int, BusinessLine[Item]]] = []
        self._virtual = 0
        self._order = 0

    def push(self, waiting: Waiting[Item]) -> None:
        """Let it wait in the line of its business."""
        self._order += 1
        line = self._lines.get(waiting.business)
        if line is None:
            line = self._lines[waiting.business] = BusinessLine(waiting.business)
            heapq.heappush(self._turns, (self._virtual, self._order, line))
        line.push(waiting, self._order)

    def pop(self, may: Callable[[str], bool] | None) -> Waiting[Item] | None:
        """Remove and return the next whose business may start; None when there is none."""
        if self._turns:
            line = self._turns[0][2]
            if line.count and (may is None or may(line.business)):
                return self._serve(line)
        aside: list[tuple[int, int, BusinessLine[Item]]] = []
        try:
            while self._turns:
                line = self._turns[0][2]
                if line.count and (may is None or may(line.business)):
                    return self._serve(line)
                aside.append(heapq.heappop(self._turns))
            return None
        finally:
            for turn, order, line in aside:
                self._put_back(turn, order, line)

    def worst(self) -> Waiting[Item]:
        """Remove and return the worst of the business with the most waiting for its weight; only while anybody waits."""
        return max(self._lines.values(), key=self._crowd).pop_worst()

    def remove(self, waiting: Waiting[Item]) -> None:
        """Remove one that waits here."""
        self._lines[waiting.business].remove(waiting)

    def waiting_of(self, business: str) -> int:
        """Return how many of a business wait."""
        line = self._lines.get(business)
        return line.count if line else 0

    def _weight(self, line: BusinessLine[Item]) -> int:
        return max(1, self._weight_of(line.business))

    def _crowd(self, line: BusinessLine[Item]) -> float:
        return line.count / self._weight(line)

    def _serve(self, line: BusinessLine[Item]) -> Waiting[Item]:
        self._virtual = self._turns[0][0]
        self._order += 1
        turn = self._virtual + max(1, _TURN // self._weight(line))
        heapq.heapreplace(self._turns, (turn, self._order, line))
        return line.pop()

    def _put_back(self, turn: int, order: int, line: BusinessLine[Item]) -> None:
        if not line.count and turn <= self._virtual:
            # The others have come by: a newcomer of this name would start here, too.
            del self._lines[line.business]
        else:
            heapq.heappush(self._turns, (max(turn, self._virtual), order, line))
