"""Virtual time as a queue of what happens when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import Any

from tests.core.samples import NOW_MS


class Timeline:
    """Events in the order of their instants, equal ones in the order they were set."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._set = 0

    def at(self, at_ms: int, act: Callable[..., None], *what: Any) -> None:
        """Let something happen then."""
        self._set += 1
        heapq.heappush(self._events, (at_ms, self._set, act, what))

    def next_ms(self) -> float:
        """Return when something happens next; inf for nothing."""
        return self._events[0][0] if self._events else inf

    def step(self) -> None:
        """Let the next event happen."""
        at_ms, _, act, what = heapq.heappop(self._events)
        self.now_ms = max(self.now_ms, at_ms)
        act(*what)
