"""Fires recurring schedules: each instant of each becomes one request, by the worker that owns the target's partition."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from contextlib import suppress

from streamer.core.partitioning import partition_of
from streamer.core.schedule import Cursor, Schedule, cursor_of
from streamer.flow.firing import Line, Place, Places, Step, decide
from streamer.flow.schedule_book import ScheduleBook
from streamer.ports import Abandoned, Calendar, Clock, Meter, Outbox

log = logging.getLogger(__name__)

#: How long a round waits at most: a changed schedule and a new partition are seen this late.
ROUND_MS = 200
#: So many firings are written at once: a burst neither holds up the loop nor fills a write.
WRITE_AT_ONCE = 200
#: How often cursors are written. What was fired since the last time is fired again after a crash, under the same ids.
KEEP_MS = 5_000
_AGAIN_MS = 5_000


class Scheduler:
    """Holds those schedules whose target's partition is ours, by the times of their next instants.

    Invariant: a task's id derives from schedule and instant, and a cursor moves only after its firings are acknowledged.
    So an instant that is fired twice, by two workers or after a crash, makes one task, and none is missed.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        outbox: Outbox,
        calendar: Calendar,
        meter: Meter,
        book: ScheduleBook,
        places: Callable[[], Places],
        partitions: int,
    ) -> None:
        """Prepare; ``places`` tells which partitions are ours now, none as long as the book is not read."""
        self._clock = clock
        self._outbox = outbox
        self._calendar = calendar
        self._meter = meter
        self._book = book
        self._places = places
        self._partitions = partitions
        self._lines: dict[str, Line] = {}
        self._agenda: list[tuple[int, int, Line]] = []
        self._planned = 0
        self._unkept: dict[str, Cursor] = {}
        self._keep_at_ms = 0
        self._seen: tuple[int, list[Place]] = (-1, [])

    async def run(self) -> None:
        """Fire until cancelled; how far each schedule has come is then written down."""
        try:
            while True:
                await self._clock.sleep_ms(await self.round())
        finally:
            with suppress(Abandoned):
                await self._keep()

    async def round(self) -> int:
        """Fire what is due; return how long to wait, in ms."""
        places = self._places()
        self._look(places)
        with suppress(Abandoned):
            await self._fire(places)
            if self._unkept and self._clock.now_ms() >= self._keep_at_ms:
                await self._keep()
        now_ms = self._clock.now_ms()
        next_ms = self._agenda[0][0] if self._agenda else now_ms + ROUND_MS
        return max(1, min(ROUND_MS, next_ms - now_ms))

    def _look(self, places: Places) -> None:
        """Take in hand what is ours, where the schedules or the partitions have changed."""
        seen = (self._book.revision, list(places.values()))
        if seen == self._seen:
            return
        self._seen = seen
        ours = [each for each in self._book.schedules.values() if self._partition(each) in places]
        self._lines = {schedule.name: self._line(schedule) for schedule in ours}
        self._unkept = {name: cursor for name, cursor in self._unkept.items() if name in self._lines}
        self._agenda = []
        for line in self._lines.values():
            self._plan(line)

    def _line(self, schedule: Schedule) -> Line:
        before = self._lines.get(schedule.name)
        # Another worker may have gone on with it in the meantime, and told how far.
        mine, told = before.cursor if before else None, self._book.cursor(schedule.name)
        cursor = cursor_of(schedule, mine, told)
        if before is not None and before.schedule is schedule and mine == cursor:
            return before
        if cursor is not mine and cursor is not told:
            self._unkept[schedule.name] = cursor
        return Line(schedule, cursor)

    def _partition(self, schedule: Schedule) -> int:
        return partition_of(schedule.lane, self._partitions)

    def _plan(self, line: Line) -> None:
        if line.look_at_ms is not None:
            self._planned += 1
            heapq.heappush(self._agenda, (line.look_at_ms, self._planned, line))

    async def _fire(self, places: Places) -> None:
        """Fire what is due, in groups; what is not acknowledged stays due."""
        now_ms = self._clock.now_ms()
        due: list[Line] = []
        while self._agenda and self._agenda[0][0] <= now_ms:
            due.append(line := heapq.heappop(self._agenda)[2])
            line.look_at_ms = now_ms + ROUND_MS
        group: list[Step] = []
        firings = 0
        try:
            for line in due:
                if (step := self._step(line, places, now_ms)) is None:
                    continue
                group.append(step)
                firings += len(step.firings)
                if firings >= WRITE_AT_ONCE:
                    await self._write(group)
                    group, firings = [], 0
            await self._write(group)
        finally:
            for line in due:
                self._plan(line)

    def _step(self, line: Line, places: Places, now_ms: int) -> Step | None:
        place = places.get(self._partition(line.schedule))
        if place is None or not place.may_act():
            return None
        try:
            return decide(line, places, self._calendar, now_ms)
        except Exception:
            self._fault(line)
            return None

    async def _write(self, group: list[Step]) -> None:
        firings = [firing for step in group for firing in step.firings]
        try:
            if firings:
                await self._outbox.publish(firings)
        except Abandoned:
            raise
        except Exception:
            if len(group) > 1:
                # One firing that cannot be written must not hold up the others: each schedule goes alone.
                for step in group:
                    await self._write([step])
            else:
                self._fault(group[0].line)
            return
        for step in group:
            self._advance(step)

    def _advance(self, step: Step) -> None:
        line = step.line
        line.look_at_ms = step.look_at_ms
        if step.cursor is not line.cursor:
            line.cursor = self._unkept[line.schedule.name] = step.cursor
        for firing in step.firings:
            self._meter.count("schedules_fired")
            self._meter.observe("firing_lateness_seconds", (self._clock.now_ms() - firing.instant_ms) / 1000)
        if step.overlapped:
            self._meter.count("instants_overlapped", step.overlapped)
        if step.misfired:
            self._meter.count("schedules_misfired", label=line.schedule.misfire.value)

    def _fault(self, line: Line) -> None:
        # One schedule that cannot be fired is no reason to stop the others, nor the worker.
        log.exception("schedule %s could not be fired; tried again in %s ms", line.schedule.name, _AGAIN_MS)
        self._meter.count("faults")
        line.look_at_ms = self._clock.now_ms() + _AGAIN_MS

    async def _keep(self) -> None:
        """Write down how far schedules have come."""
        kept = dict(self._unkept)
        await self._outbox.publish(list(kept.values()))
        self._unkept = {name: cursor for name, cursor in self._unkept.items() if kept.get(name) is not cursor}
        self._keep_at_ms = self._clock.now_ms() + KEEP_MS
