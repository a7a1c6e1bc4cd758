"""When lanes are to be looked at again by time alone.

Must not know why, nor the time; each call takes ``now_ms``.
"""

from __future__ import annotations

import heapq
from itertools import count
from math import inf
from typing import Generic

from streamer.core.lane import Lane
from streamer.core.waiting import Item


class Wakes(Generic[Item]):
    """At most one wake of each lane holds, that of its ``wake_ms``; an entry of another instant is a shell."""

    __slots__ = ("_heap", "_sequence")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Lane[Item]]] = []
        self._sequence = count()

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, lane: Lane[Item], at_ms: float) -> None:
        """Wake a lane then, unless it is to wake sooner; never for inf."""
        if at_ms < lane.wake_ms and at_ms != inf:
            lane.wake_ms = at_ms
            heapq.heappush(self._heap, (at_ms, next(self._sequence), lane))

    def due(self, now_ms: float) -> list[Lane[Item]]:
        """Return the lanes whose time has come, each once."""
        lanes = []
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, _, lane = heapq.heappop(self._heap)
            if lane.wake_ms == at_ms:
                lane.wake_ms = inf
                lanes.append(lane)
        return lanes

    def next_ms(self) -> float:
        """Return when the first lane may be due; inf if none will."""
        return self._heap[0][0] if self._heap else inf

    def sweep(self) -> None:
        """Forget the wakes of lanes in which nobody waits: for a pause without an end they would keep their lanes for ever."""
        kept = []
        for at_ms, order, lane in self._heap:
            if lane.wake_ms != at_ms:
                continue
            if len(lane.queue):
                kept.append((at_ms, order, lane))
            else:
                lane.wake_ms = inf
        heapq.heapify(kept)
        self._heap = kept
