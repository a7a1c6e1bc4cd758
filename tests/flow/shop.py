"""A worker's scheduler in virtual time, and what outlives it: what was written, and the schedules as they stand."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from streamer.adapters.calendar.cron import CronCalendar
from streamer.adapters.memory.clock import VirtualClock
from streamer.adapters.memory.lease import MemoryLease
from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.memory.outbox import MemoryOutbox, Trouble
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.emit import Firing
from streamer.core.entry import Entry
from streamer.core.identity import firing_id, task_digest
from streamer.core.lifecycle import State
from streamer.core.partitioning import partition_of
from streamer.core.schedule import Cursor, Schedule
from streamer.flow.schedule_book import ScheduleBook
from streamer.flow.scheduler import Scheduler
from streamer.ports import Abandoned, Calendar

START_MS = 1_800_000_000_000
SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
PARTITIONS = 4
LANE = "example.com"
OURS = partition_of(LANE, PARTITIONS)


@dataclass(eq=False)
class Ground:
    """A partition in memory."""

    lease: MemoryLease
    table: MemoryTable = field(default_factory=MemoryTable)

    def may_act(self) -> bool:
        """Tell whether we may write for it."""
        return self.lease.held()


class Shop:
    """``book`` is what a worker reads of ``config``; cursors reach it only when it is read anew."""

    def __init__(self, calendar: Calendar | None = None) -> None:
        self.clock = VirtualClock(START_MS)
        self.outbox, self.meter, self.lease = MemoryOutbox(), MemoryMeter(), MemoryLease()
        self.book = ScheduleBook()
        self.places = {OURS: Ground(self.lease)}
        self.calendar = calendar or CronCalendar()
        self.start()

    def start(self) -> None:
        """Start a worker, which reads the book anew."""
        schedules, self.book = self.book.schedules, ScheduleBook()
        for schedule in schedules.values():
            self.book.put(schedule)
        for cursor in self.outbox.of(Cursor):
            self.book.note(cursor)
        self.scheduler = Scheduler(
            clock=self.clock,
            outbox=self.outbox,
            calendar=self.calendar,
            meter=self.meter,
            book=self.book,
            places=lambda: self.places,
            partitions=PARTITIONS,
        )
        self._task = asyncio.create_task(self.scheduler.run())

    async def stop(self) -> None:
        """Ask the worker to end."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def away(self, span_ms: int) -> None:
        """Let time pass without a worker, then start one and let it do what is due."""
        await self.stop()
        await self.clock.advance(span_ms)
        self.start()
        await self.clock.settle()

    async def kill(self) -> None:
        """End the worker without a word."""
        self.outbox.trouble = lambda kind, items: Trouble(Abandoned())
        await self.stop()
        self.outbox.trouble = lambda kind, items: None

    def put(self, name: str = "report", **changed: Any) -> Schedule:
        """Write a schedule now; it fires every second where nothing else is said."""
        usual: dict[str, Any] = {"template": b'{"url":"https://example.com"}', "lane": LANE}
        timing = {} if "cron" in changed else {"every_ms": SECOND_MS}
        schedule = Schedule(**{"name": name, "set_at_ms": self.clock.now_ms(), **usual, **timing, **changed})
        self.book.put(schedule)
        return schedule

    def change(self, name: str = "report", **changed: Any) -> None:
        """Write a schedule anew."""
        self.book.put(replace(self.book.schedules[name], set_at_ms=self.clock.now_ms(), **changed))

    @property
    def fired(self) -> list[int]:
        """The instants fired, of whichever schedule, in ms since the start."""
        return [firing.instant_ms - START_MS for firing in self.outbox.of(Firing)]

    def task(self, instant_ms: int, state: State | None, name: str = "report", place: int = OURS) -> None:
        """Let the task of an instant (in ms since the start) be in a state, or be forgotten."""
        digest = task_digest(firing_id(name, START_MS + instant_ms))
        table = self.places[place].table
        if state is None:
            table.forget(digest)
        else:
            table.put(digest, Entry(1, 1, 1, state, 0, 0, 0, bytes(8), 0, 0, 0))
