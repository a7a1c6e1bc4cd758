"""Lanes: who may start now and who waits, in one lane and over all of them.

Must not know what an item is, how it is sent, nor the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Lane(Generic[Item]):
    """First come, first served, with at most ``limit`` running; whoever offers bounds how many may wait."""

    __slots__ = ("_queue", "limit", "running")

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a lane's limit is {limit}: allowed is 1 or more")
        self.limit = limit
        self.running = 0
        self._queue: deque[Item] = deque()

    def __repr__(self) -> str:
        return f"<Lane running={self.running}/{self.limit} waiting={self.waiting}>"

    def offer(self, item: Item) -> bool:
        """Tell whether the item may start now, which counts it as running; else it waits."""
        self.push(item)
        if not self.startable:
            return False
        # Nobody waits while there is room, so the head is the newcomer.
        self.start()
        return True

    def release(self) -> Item | None:
        """Note that one that ran has ended; return the next that may start, already counted as running."""
        self.end()
        return self.start() if self.startable else None

    def push(self, item: Item) -> None:
        """Let the item wait, even where it could start."""
        self._queue.append(item)

    def start(self) -> Item:
        """Take the longest waiting item and count it as running; only while ``startable``."""
        item = self._queue.popleft()
        self.running += 1
        return item

    def end(self) -> None:
        """Note that one that ran has ended, and start nobody."""
        if not self.running:
            raise ValueError("nothing runs in this lane: each start may end once")
        self.running -= 1

    def drop(self, predicate: Callable[[Item], bool]) -> int:
        """Forget the waiting items that the predicate names; return how many. What runs is not touched."""
        kept = deque(item for item in self._queue if not predicate(item))
        dropped = len(self._queue) - len(kept)
        self._queue = kept
        return dropped

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return len(self._queue)

    @property
    def startable(self) -> bool:
        """Whether the lane has both a waiting item and room for it."""
        return bool(self._queue) and self.running < self.limit

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.running and not self._queue
