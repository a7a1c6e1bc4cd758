"""One schedule's turn: which requests it makes now, and where it stands once they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from streamer.core.emit import Firing
from streamer.core.identity import firing_id, task_digest
from streamer.core.lifecycle import State
from streamer.core.schedule import Cursor, Overlap, Schedule, due_instants, next_instant, still_running
from streamer.ports import Calendar, Table


class Place(Protocol):
    """A partition that is ours."""

    @property
    def table(self) -> Table:
        """The entries of its tasks."""

    def may_act(self) -> bool:
        """Tell whether we may write for it now."""


Places = Mapping[int, Place]


@dataclass(slots=True, eq=False)
class Line:
    """A schedule in hand: how far it has come, and when to look at it next; None: not before it changes."""

    schedule: Schedule
    cursor: Cursor
    look_at_ms: int | None = 0


@dataclass(slots=True, eq=False)
class Step:
    """What is to be written for a schedule, and where it stands afterwards."""

    line: Line
    firings: list[Firing]
    cursor: Cursor
    look_at_ms: int | None
    misfired: bool = False
    overlapped: int = 0


def decide(line: Line, places: Places, calendar: Calendar, now_ms: int) -> Step:
    """Return a schedule's turn at ``now_ms``; an instant that its overlap rule forbids is passed over for good."""
    schedule, cursor = line.schedule, line.cursor
    if schedule.paused:
        return Step(line, [], cursor, None)
    due = due_instants(schedule, cursor.at_ms, now_ms, calendar.next_after)
    firings: list[Firing] = []
    fired_ms, fired_at_ms = cursor.fired_ms, cursor.fired_at_ms
    for instant_ms in due.instants:
        if schedule.overlap is Overlap.SKIP and fired_ms is not None:
            state = _state(places, firing_id(schedule.name, fired_ms))
            if still_running(state, fired_at_ms, now_ms):
                continue
        firings.append(Firing(schedule.name, instant_ms, schedule.template))
        fired_ms, fired_at_ms = instant_ms, now_ms
    if due.instants or due.misfired:
        cursor = Cursor(schedule.name, cursor.timing, now_ms, fired_ms, fired_at_ms)
    look_at_ms = next_instant(schedule, max(now_ms, cursor.at_ms), calendar.next_after)
    return Step(line, firings, cursor, look_at_ms, due.misfired, len(due.instants) - len(firings))


def _state(places: Places, task_id: str) -> State | None:
    """Return a task's state, in whichever of our partitions it is: a lane with shards has several."""
    digest = task_digest(task_id)
    for place in places.values():
        if (entry := place.table.get(digest)) is not None:
            return entry.state
    return None
