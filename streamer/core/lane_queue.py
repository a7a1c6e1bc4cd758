"""Who waits in a lane: businesses take turns by weight, and within one the most urgent goes first.

Must not know what an item is, whether the lane may send, nor the time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic

from streamer.core.business_turns import BusinessTurns
from streamer.core.places import Places
from streamer.core.waiting import Item, Waiting


class LaneQueue(Generic[Item]):
    """Those that wait, with their number and bytes; whoever pushes bounds them, and ``worst`` tells who is too many.

    An empty queue keeps nothing: a hundred thousand lanes may be idle at once.
    """

    __slots__ = ("_turns", "_waiting", "_weight_of", "bytes", "places")

    def __init__(self, weight_of: Callable[[str], int]) -> None:
        self._weight_of = weight_of
        self.bytes = 0
        self.places = Places()
        #: In the order they came. Plain dicts are slow to find their first key after many were removed before it.
        self._waiting: OrderedDict[Waiting[Item], None] | None = None
        self._turns: BusinessTurns[Item] | None = None

    def __repr__(self) -> str:
        return f"<LaneQueue {len(self)} waiting, {self.bytes} bytes>"

    def __len__(self) -> int:
        return len(self._waiting) if self._waiting else 0

    def push(self, waiting: Waiting[Item]) -> None:
        """Let it wait; ValueError when it does already."""
        if self._waiting is None or self._turns is None:
            self._waiting, self._turns = OrderedDict(), BusinessTurns(self._weight_of)
        elif waiting in self._waiting:
            raise ValueError(f"an item of business {waiting.business!r} waits already: each may wait once")
        self._turns.push(waiting)
        self.places.came(waiting.business, waiting.arrived_ms)
        self._waiting[waiting] = None
        self.bytes += waiting.size_bytes

    def pop(self, may: Callable[[str], bool] | None = None) -> Waiting[Item] | None:
        """Remove and return the next whose business may start; None when there is none.

        Costs O(log n), and one question for each business that may not start and whose turn it would be.
        """
        waiting = self._turns.pop(may) if self._turns else None
        if waiting is not None:
            self._gone(waiting)
        return waiting

    def worst(self) -> Waiting[Item] | None:
        """Remove and return the one that should wait elsewhere; None when nobody waits.

        It is of the business with the most waiting for its weight, there of the last priority, there the newest of fresh
        ones and retries, and only where there are none the one with the latest promise. Looks at every business.
        """
        if self._turns is None:
            return None
        waiting = self._turns.worst()
        self._gone(waiting)
        return waiting

    def remove(self, waiting: Waiting[Item]) -> bool:
        """Forget it; False when it does not wait here."""
        if self._turns is None or self._waiting is None or waiting not in self._waiting:
            return False
        self._turns.remove(waiting)
        self._gone(waiting)
        return True

    def drop(self, predicate: Callable[[Item], bool]) -> list[Waiting[Item]]:
        """Forget those whose items the predicate names, and return them in the order they came."""
        dropped = [waiting for waiting in self._waiting or () if predicate(waiting.item)]
        for waiting in dropped:
            self.remove(waiting)
        return dropped

    def oldest_ms(self, now_ms: float) -> int:
        """Return the age of the one that came first, 0 when nobody waits."""
        return max(0, int(now_ms - next(iter(self._waiting)).arrived_ms)) if self._waiting else 0

    def waiting_of(self, business: str) -> int:
        """Return how many of a business wait."""
        return self._turns.waiting_of(business) if self._turns else 0

    def _gone(self, waiting: Waiting[Item]) -> None:
        assert self._waiting is not None, "who came out of a turn was waiting"
        del self._waiting[waiting]
        self.bytes -= waiting.size_bytes
        if not self._waiting:
            self._waiting = self._turns = None
