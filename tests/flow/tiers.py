"""What a desk lays on tiers and on ``due``, brought back to it at each record's own due time."""

from __future__ import annotations

import heapq
from contextlib import suppress

from streamer.core.delivery import Delivery
from streamer.core.emit import Due, Held
from tests.flow.desk import Desk


class Tiers:
    """Stands for hold, without hops."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._taken = self._order = 0
        self._waiting: list[tuple[int, int, Delivery]] = []

    async def run(self, span_ms: int) -> None:
        """Let time pass, and bring back what becomes due."""
        desk, clock = self._desk, self._desk.clock
        end_ms = clock.now_ms() + span_ms
        while clock.now_ms() < end_ms:
            due = self._due()
            if due:
                await desk.give(*due, source="due")
                continue
            next_ms = min(self._waiting[0][0], end_ms) if self._waiting else end_ms
            # Until something is written, which may be a record that is due sooner.
            with suppress(TimeoutError):
                await clock.until(self._written, within_ms=next_ms - clock.now_ms())
                continue
            await clock.advance(next_ms - clock.now_ms())

    def _written(self) -> bool:
        return len(self._desk.outbox.published) > self._taken

    def _due(self) -> list[Delivery]:
        published = self._desk.outbox.published
        new, self._taken = published[self._taken :], len(published)
        for emit in new:
            if isinstance(emit, Held | Due):
                self._order += 1
                heapq.heappush(self._waiting, (emit.delivery.due_at_ms, self._order, emit.delivery))
        due = []
        while self._waiting and self._waiting[0][0] <= self._desk.clock.now_ms():
            due.append(heapq.heappop(self._waiting)[2])
        return due
