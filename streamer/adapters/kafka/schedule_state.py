"""Takes what ``config`` says of recurring schedules: the records of each, and how far it has come."""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamer.flow.schedule_book import ScheduleBook
from streamer.ports import Calendar, Meter
from streamer.wire.cursor_record import FIRED, decode_cursor
from streamer.wire.limits import Limits
from streamer.wire.schedule_record import PREFIX, read_schedule
from streamer.wire.unreadable import UnreadableRecord

log = logging.getLogger(__name__)


class ScheduleState:
    """Keeps the book up.

    Invariant: a record that cannot be read changes nothing; what its key said before still holds.
    """

    def __init__(self, limits: Limits, calendar: Calendar, meter: Meter, now_ms: Callable[[], int]) -> None:
        self.book = ScheduleBook()
        self._limits = limits
        self._calendar = calendar
        self._meter = meter
        self._now_ms = now_ms

    def take(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        """Take one record, None for a tombstone; raises nothing, and passes over keys of other kinds."""
        try:
            self._take(key, value, timestamp_ms)
        except UnreadableRecord as error:
            self._refuse(key, str(error))
        except Exception as error:
            # A fault of ours on one record must not stop every worker there is.
            log.exception("the record %r on config could not be handled", key)
            self._refuse(key, f"fault of ours: {error!r}")

    def _take(self, key: str, value: bytes | None, timestamp_ms: int) -> None:
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX)
            if value is None:
                self.book.remove(name)
                return
            # A writer's clock that is ahead of ours must not keep the schedule from firing.
            set_at_ms = min(timestamp_ms, self._now_ms())
            self.book.put(read_schedule(name, value, self._limits, self._calendar, set_at_ms))
        elif key.startswith(FIRED):
            name = key.removeprefix(FIRED)
            if value is None:
                self.book.forget(name)
            else:
                self.book.note(decode_cursor(name, value))

    def _refuse(self, key: str, reason: str) -> None:
        self._meter.count("config_records_refused", label=key.partition(":")[0])
        log.error("config record %r refused, what held before still holds: %s", key[:140], reason)
