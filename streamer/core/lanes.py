"""All lanes of a worker under one common cap, which lanes that wait for it share in turns.

Must not know what an item is, how it is sent, nor the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic

from streamer.core.lane import Item, Lane


class Lanes(Generic[Item]):
    """Lanes by key, made when first needed and forgotten when idle.

    Invariant: a lane stands in ``_turns``, once, exactly while it could start an item but for the common cap;
    while there is room under the cap ``_turns`` is empty.
    """

    __slots__ = ("_lanes", "_turns", "limit_per_lane", "limit_total", "running")

    def __init__(self, limit_per_lane: int, limit_total: int) -> None:
        if limit_per_lane < 1 or limit_total < 1:
            raise ValueError(f"limits are {limit_per_lane} per lane, {limit_total} in all: allowed is 1 or more")
        self.limit_per_lane = limit_per_lane
        self.limit_total = limit_total
        self.running = 0
        self._lanes: dict[str, Lane[Item]] = {}
        self._turns: deque[str] = deque()

    def __repr__(self) -> str:
        return f"<Lanes {len(self)} running={self.running}/{self.limit_total} waiting={self.waiting}>"

    def __len__(self) -> int:
        return len(self._lanes)

    def offer(self, lane_key: str, item: Item) -> bool:
        """Tell whether the item may start now, which counts it as running; else it waits in its lane."""
        lane = self._lanes.get(lane_key)
        if lane is None:
            lane = self._lanes[lane_key] = Lane(self.limit_per_lane)
        if self.running < self.limit_total:
            started = lane.offer(item)
            self.running += started
            return started
        in_turns = lane.startable
        lane.push(item)
        if lane.startable and not in_turns:
            self._turns.append(lane_key)
        return False

    def release(self, lane_key: str) -> list[Item]:
        """Note that one that ran in the lane has ended; return who may start, already counted as running."""
        lane = self._lanes.get(lane_key)
        if lane is None:
            raise ValueError(f"nothing runs in lane {lane_key!r}: each start may end once")
        in_turns = lane.startable
        lane.end()
        self.running -= 1
        if lane.idle:
            del self._lanes[lane_key]
        elif lane.startable and not in_turns:
            self._turns.append(lane_key)
        return self._start()

    def _start(self) -> list[Item]:
        started: list[Item] = []
        while self._turns and self.running < self.limit_total:
            lane_key = self._turns.popleft()
            lane = self._lanes[lane_key]
            started.append(lane.start())
            self.running += 1
            if lane.startable:
                self._turns.append(lane_key)
        return started

    def drop(self, predicate: Callable[[Item], bool]) -> int:
        """Forget the waiting items that the predicate names; return how many. What runs is not touched."""
        dropped = sum(lane.drop(predicate) for lane in self._lanes.values())
        self._lanes = {key: lane for key, lane in self._lanes.items() if not lane.idle}
        self._turns = deque(key for key in self._turns if key in self._lanes and self._lanes[key].startable)
        return dropped

    @property
    def waiting(self) -> int:
        """How many items wait, in all lanes."""
        return sum(lane.waiting for lane in self._lanes.values())

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self._lanes
