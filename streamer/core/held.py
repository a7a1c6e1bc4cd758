"""What hold keeps of one partition of a tier, and when it is released.

Must not know Kafka, nor what a record says beyond its two times.
"""

from __future__ import annotations

import heapq
from typing import Any

from msgspec import Struct


class HeldRecord(Struct, frozen=True, gc=False):
    """A record on a tier: its coordinates, when it leaves the tier, when it is due, and the record itself, unread."""

    offset: int
    release_at_ms: int
    due_at_ms: int
    size_bytes: int
    record: Any


class HeldPartition:
    """Records of one partition in the order of their release.

    Within a tier all wait equally long but for the last stretch, so a record behind the last one taken is released no
    earlier than that one less ``look_ahead_ms`` (see the ladder). Taking until the last one is that far off therefore never
    misses a release, and what is taken is kept, not read again (RULES 19, 21).
    """

    __slots__ = ("_bytes", "_heap", "_last_ms", "_look_ahead_ms", "_max_bytes", "_max_records")

    def __init__(self, look_ahead_ms: int, max_records: int = 5_000, max_bytes: int = 8 * 1024 * 1024) -> None:
        self._look_ahead_ms = look_ahead_ms
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._heap: list[tuple[int, int, HeldRecord]] = []
        self._bytes = 0
        self._last_ms = 0

    def __len__(self) -> int:
        return len(self._heap)

    def take(self, record: HeldRecord) -> None:
        """Keep a record that was read."""
        heapq.heappush(self._heap, (record.release_at_ms, record.offset, record))
        self._bytes += record.size_bytes
        self._last_ms = max(self._last_ms, record.release_at_ms)

    def wants_more(self, now_ms: int) -> bool:
        """Tell whether the next record could be released before those kept here are."""
        if len(self._heap) >= self._max_records or self._bytes >= self._max_bytes:
            return False
        return self._last_ms <= now_ms + self._look_ahead_ms

    def next_release_ms(self) -> int | None:
        """Return when the next record leaves."""
        return self._heap[0][0] if self._heap else None

    def release(self, now_ms: int, limit: int) -> list[HeldRecord]:
        """Return up to ``limit`` records whose time has come, and keep them no longer."""
        out: list[HeldRecord] = []
        while self._heap and self._heap[0][0] <= now_ms and len(out) < limit:
            record = heapq.heappop(self._heap)[2]
            self._bytes -= record.size_bytes
            out.append(record)
        return out
