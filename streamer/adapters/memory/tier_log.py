"""The tiers' twin in memory: one list per partition of a tier, read on and committed as Kafka's are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from streamer.core.held import HeldRecord
from streamer.core.window import Window
from streamer.flow.hold import Place, Relay
from streamer.ports import Clock

_UNBOUNDED = 1 << 62


@dataclass(frozen=True, slots=True)
class Released:
    """A record as it came to ``due``."""

    partition: int
    record: Any
    at_ms: int


class MemoryTierLog:
    """Holds every tier's partitions; ``own`` says which of them are ours, ``due`` keeps what was released.

    ``most_at_once`` bounds one read of one partition. ``crowd`` names the partitions on which deliver is behind.
    """

    def __init__(self, clock: Clock, *, most_at_once: int = 500, record_bytes: int = 500) -> None:
        self.due: list[Released] = []
        self.crowd: set[int] = set()
        self.reads: list[Place] = []
        self._clock = clock
        self._most_at_once = most_at_once
        self._record_bytes = record_bytes
        self._logs: defaultdict[Place, list[HeldRecord]] = defaultdict(list)
        self._windows: dict[Place, Window] = {}
        self._committed: defaultdict[Place, int] = defaultdict(int)
        self._error: Exception | None = None

    def append(self, place: Place, record: Any, release_at_ms: int, due_at_ms: int) -> None:
        """Lay a record on a tier."""
        log = self._logs[place]
        log.append(HeldRecord(len(log), release_at_ms, due_at_ms, self._record_bytes, record))

    def own(self, places: Collection[Place]) -> None:
        """Begin an assignment: commit what is finished, then read these partitions from what is committed."""
        for place in self._windows:
            self._committed[place] = self.committable(place)
        self._windows = {place: Window(self._committed[place], _UNBOUNDED, _UNBOUNDED) for place in places}

    def crash(self) -> None:
        """Forget what was finished and not committed; the same partitions are read again."""
        self._windows = {place: Window(self._committed[place], _UNBOUNDED, _UNBOUNDED) for place in self._windows}

    def fail(self, error: Exception) -> None:
        """Let the next write fail before it lands."""
        self._error = error

    def committable(self, place: Place) -> int:
        """Return the end of a partition's finished prefix."""
        window = self._windows.get(place)
        return window.committable if window else self._committed[place]

    def places(self) -> Collection[Place]:
        """Return the partitions that are ours now."""
        return list(self._windows)

    async def read(self, wanted: Collection[Place], timeout_ms: int) -> Sequence[tuple[Place, HeldRecord]]:
        """Return what the wanted partitions have to read, or nothing once the time is over."""
        out: list[tuple[Place, HeldRecord]] = []
        for place in wanted:
            self.reads.append(place)
            window = self._windows[place]
            first = window.next_offset
            for record in self._logs[place][first : first + self._most_at_once]:
                window.take(record.offset, record.size_bytes)
                out.append((place, record))
        await self._clock.sleep_ms(0 if out else timeout_ms)
        return out

    async def write(self, relays: Sequence[Relay]) -> None:
        """Write records on."""
        await self._clock.sleep_ms(0)
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        for relay in relays:
            if relay.tier is None:
                self.due.append(Released(relay.partition, relay.record.record, self._clock.now_ms()))
            else:
                record = relay.record
                self.append((relay.tier, relay.partition), record.record, relay.release_at_ms, record.due_at_ms)

    def finish(self, place: Place, offset: int) -> None:
        """Mark a record done."""
        window = self._windows.get(place)
        if window is not None and offset < window.next_offset:
            window.finish(offset)

    def crowded(self, partition: int) -> bool:
        """Tell whether deliver is far behind on a partition of ``due``."""
        return partition in self.crowd
