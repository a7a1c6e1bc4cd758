"""A recurring schedule: its instants, and which of them are to be fired now.

Must not know cron expressions and time zones beyond their text: who can read them passes in a function. Nor topics or tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

from streamer.core.identity import content_hash
from streamer.core.lifecycle import TERMINAL, State

#: An instant this late is still fired as if in time: restarts and rebalances are no misfires.
GRACE_MS = 60_000
#: Of the instants missed, no more than the newest so many are fired.
MOST_MISSED = 100
#: A task that was fired this long ago and is not in its table has ended: entries of ended tasks are kept for an hour.
UNSEEN_MS = 3_600_000
#: The shortest time between two instants.
LEAST_EVERY_MS = 1_000

_at = attrgetter("at_ms")

#: Cron expression, time zone, instant → the first instant after it, in epoch ms; None when there is none.
CronNext = Callable[[str, str, int], int | None]


class Misfire(StrEnum):
    """What becomes of instants that nobody fired within the grace: nothing, one firing for all, or one for each."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class Overlap(StrEnum):
    """Whether an instant is fired while the task of the one before has not ended."""

    ALLOW = "allow"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is to be sent, and when: by ``cron`` in a time zone, or every so many ms from ``starts_at_ms`` (else 1970) on.

    ``template`` is the request as its owner wrote it, ``lane`` where it goes. The first instant may be ``starts_at_ms``
    itself, the last ``ends_at_ms``. Nothing is fired of before ``set_at_ms``, when the schedule was written.
    """

    name: str
    template: bytes
    lane: str
    cron: str | None = None
    every_ms: int | None = None
    time_zone: str = "UTC"
    misfire: Misfire = Misfire.ONCE
    overlap: Overlap = Overlap.ALLOW
    paused: bool = False
    starts_at_ms: int | None = None
    ends_at_ms: int | None = None
    set_at_ms: int = 0

    @property
    def timing(self) -> str:
        """What tells one timing from another; a schedule whose timing was changed, or that was paused, begins anew."""
        parts = (self.cron, self.every_ms, self.time_zone, self.starts_at_ms, self.ends_at_ms, self.paused)
        return content_hash(*(str(part).encode() for part in parts)).hex()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a schedule has come: instants up to ``at_ms`` are dealt with, under this timing.

    ``fired_ms`` is the last instant that was fired, ``fired_at_ms`` when it was.
    """

    schedule: str
    timing: str
    at_ms: int
    fired_ms: int | None = None
    fired_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class DueInstants:
    """The instants to fire now, in order; ``misfired`` tells that some had been missed, whatever became of them."""

    instants: tuple[int, ...]
    misfired: bool


def cursor_of(schedule: Schedule, *known: Cursor | None) -> Cursor:
    """Return where a schedule stands by what is known of it: where it was left, the farther the better.

    A new schedule stands at its writing, and so does one whose timing was changed since.
    """
    timing = schedule.timing
    cursors = [cursor for cursor in known if cursor is not None]
    if same := [cursor for cursor in cursors if cursor.timing == timing]:
        return max(same, key=_at)
    if not cursors:
        return Cursor(schedule.name, timing, schedule.set_at_ms)
    last = max(cursors, key=_at)
    return Cursor(schedule.name, timing, max(last.at_ms, schedule.set_at_ms), last.fired_ms, last.fired_at_ms)


def next_instant(schedule: Schedule, after_ms: int, cron_next: CronNext) -> int | None:
    """Return the first instant after ``after_ms``, paused or not; None when there is none."""
    if schedule.starts_at_ms is not None:
        after_ms = max(after_ms, schedule.starts_at_ms - 1)
    at_ms: int | None
    if schedule.every_ms is not None:
        anchor_ms = schedule.starts_at_ms or 0
        at_ms = anchor_ms + ((after_ms - anchor_ms) // schedule.every_ms + 1) * schedule.every_ms
    else:
        at_ms = cron_next(schedule.cron or "", schedule.time_zone, after_ms)
    if at_ms is None or (schedule.ends_at_ms is not None and at_ms > schedule.ends_at_ms):
        return None
    return at_ms


def due_instants(schedule: Schedule, at_ms: int, now_ms: int, cron_next: CronNext) -> DueInstants:
    """Return which of the instants after ``at_ms`` and up to now are to be fired now."""
    late_ms = max(at_ms, now_ms - GRACE_MS)
    in_time = _between(schedule, late_ms, now_ms, cron_next)
    first_ms = next_instant(schedule, at_ms, cron_next) if at_ms < late_ms else None
    if first_ms is None or first_ms > late_ms:
        return DueInstants(in_time, misfired=False)
    most = {Misfire.SKIP: 0, Misfire.ONCE: 1, Misfire.ALL: MOST_MISSED}[schedule.misfire]
    missed = _newest(schedule, at_ms, late_ms, most, cron_next) if most else ()
    return DueInstants(missed + in_time, misfired=True)


def still_running(state: State | None, fired_at_ms: int, now_ms: int) -> bool:
    """Tell whether a fired task may still run, by its state in the table; None: it is not there, not yet or no more."""
    if state is None:
        return now_ms - fired_at_ms < UNSEEN_MS
    return state not in TERMINAL


def _between(schedule: Schedule, after_ms: int, until_ms: int, cron_next: CronNext) -> tuple[int, ...]:
    found: list[int] = []
    at_ms = next_instant(schedule, after_ms, cron_next)
    while at_ms is not None and at_ms <= until_ms:
        found.append(at_ms)
        at_ms = next_instant(schedule, at_ms, cron_next)
    return tuple(found)


def _newest(schedule: Schedule, after_ms: int, until_ms: int, most: int, cron_next: CronNext) -> tuple[int, ...]:
    """Return the last instants of a span, looking back ever farther: after a week away not every second is gone through."""
    span_ms = GRACE_MS
    while True:
        start_ms = max(after_ms, until_ms - span_ms)
        found = _between(schedule, start_ms, until_ms, cron_next)
        if len(found) >= most or start_ms == after_ms:
            return found[-most:]
        span_ms *= 4
