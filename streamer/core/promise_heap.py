"""Those to whom a slot was promised, in the order of their promises, to be taken from both ends.

Must not know what was promised, nor to whom.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Holder = TypeVar("Holder", bound=Hashable)


class PromiseHeap(Generic[Holder]):
    """A priority queue with two ends: the earliest goes first, the latest may be sent away.

    Of equal promises the older entry is the earlier one. An entry taken from one end stays behind in the other heap as a
    shell, and shells are swept when they outnumber the living; so memory stays in proportion.
    """

    __slots__ = ("_earliest", "_latest", "_living")

    def __init__(self) -> None:
        #: Each holder with the order of its entry; an entry of another order is a shell.
        self._living: dict[Holder, int] = {}
        self._earliest: list[tuple[int, int, Holder]] = []
        #: Made at the first need: most queues never send anybody away.
        self._latest: list[tuple[int, int, Holder]] | None = None

    def __len__(self) -> int:
        return len(self._living)

    def push(self, promise_ms: int, order: int, holder: Holder) -> None:
        """Add a holder; ``order`` is unique, and greater than those before it."""
        self._living[holder] = order
        heapq.heappush(self._earliest, (promise_ms, order, holder))
        if self._latest is not None:
            heapq.heappush(self._latest, (-promise_ms, -order, holder))

    def earliest_ms(self) -> int:
        """Return the earliest promise; only while there is one."""
        while True:
            promise_ms, order, holder = self._earliest[0]
            if self._living.get(holder) == order:
                return promise_ms
            heapq.heappop(self._earliest)

    def pop_earliest(self) -> Holder:
        """Remove and return the holder of the earliest promise."""
        while True:
            _, order, holder = heapq.heappop(self._earliest)
            if self._living.get(holder) == order:
                self.remove(holder)
                return holder

    def pop_latest(self) -> Holder:
        """Remove and return the holder of the latest promise."""
        if self._latest is None:
            self._latest = [(-promise_ms, -order, holder) for promise_ms, order, holder in self._swept()]
            heapq.heapify(self._latest)
        while True:
            _, order, holder = heapq.heappop(self._latest)
            if self._living.get(holder) == -order:
                self.remove(holder)
                return holder

    def remove(self, holder: Holder) -> None:
        """Remove a holder."""
        del self._living[holder]
        most = 2 * len(self._living) + 8
        if len(self._earliest) > most:
            self._earliest = self._swept()
            heapq.heapify(self._earliest)
        if self._latest is not None and len(self._latest) > most:
            self._latest = [entry for entry in self._latest if self._living.get(entry[2]) == -entry[1]]
            heapq.heapify(self._latest)

    def _swept(self) -> list[tuple[int, int, Holder]]:
        return [entry for entry in self._earliest if self._living.get(entry[2]) == entry[1]]
