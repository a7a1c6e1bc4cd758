"""Recurring schedules on `config` as the commands read and write them: the records as they stand, and their cursors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from streamer.adapters.calendar.cron import CronCalendar
from streamer.adapters.kafka.log_reader import LogRecord, read_log
from streamer.cli.cluster import Installation
from streamer.cli.setup import limits_of
from streamer.core.schedule import Cursor, Schedule, cursor_of, next_instant
from streamer.wire.cursor_record import FIRED, decode_cursor
from streamer.wire.limits import Limits
from streamer.wire.schedule_record import PREFIX, VERSION, read_schedule
from streamer.wire.unreadable import UnreadableRecord

CALENDAR = CronCalendar()


@dataclass(frozen=True, slots=True)
class Stored:
    """A schedule as it stands: the newest good record with its fields as written, and how far it has come.

    ``problem`` says what is wrong with a newer record, which no worker takes.
    """

    schedule: Schedule
    fields: Mapping[str, Any]
    cursor: Cursor | None = None
    problem: str | None = None

    def next_ms(self, now_ms: int) -> int | None:
        """Return its next instant; None when there is none, or it is paused."""
        if self.schedule.paused:
            return None
        return next_instant(
            self.schedule, max(now_ms, cursor_of(self.schedule, self.cursor).at_ms), CALENDAR.next_after
        )


@dataclass(slots=True)
class Schedules:
    """All schedules by name; ``broken`` are those that never had a good record, with the reason."""

    limits: Limits
    stored: dict[str, Stored] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, record: LogRecord) -> None:
        """Take a record as a worker does: one that cannot be read changes nothing."""
        self.broken.pop(name, None)
        if record.value is None:
            self.stored.pop(name, None)
            return
        try:
            schedule = read_schedule(name, record.value, self.limits, CALENDAR, record.timestamp_ms)
        except UnreadableRecord as error:
            before = self.stored.get(name)
            if before is None:
                self.broken[name] = str(error)
            else:
                self.stored[name] = Stored(before.schedule, before.fields, problem=str(error))
            return
        fields = {key: value for key, value in json.loads(record.value).items() if key != "v"}
        self.stored[name] = Stored(schedule, fields)


async def read_schedules(place: Installation) -> Schedules:
    """Read the topic to its end; raises Unreachable and TopicMissing."""
    found = Schedules(limits_of(place.settings))
    cursors: dict[str, Cursor] = {}
    async with aclosing(read_log(place.options, place.topics.config)) as records:
        async for record in records:
            key = (record.key or b"").decode(errors="replace")
            if key.startswith(PREFIX):
                found.take(key.removeprefix(PREFIX), record)
            elif key.startswith(FIRED):
                name = key.removeprefix(FIRED)
                cursors.pop(name, None)
                # A cursor that cannot be read is none, as for a worker.
                with suppress(UnreadableRecord):
                    cursors[name] = decode_cursor(name, record.value or b"")
    found.stored = {
        name: Stored(each.schedule, each.fields, cursors.get(name), each.problem)
        for name, each in sorted(found.stored.items())
    }
    return found


def encode_schedule(fields: Mapping[str, Any]) -> bytes:
    """Return the record's value; what is None is left out."""
    record = {"v": VERSION, **{name: value for name, value in fields.items() if value is not None}}
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogateescape")
