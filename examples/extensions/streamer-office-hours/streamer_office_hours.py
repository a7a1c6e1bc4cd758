"""Keeps retries within office hours: for receivers whose people have to be there when something goes wrong."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from streamer.extensions import Planned, RetryAt, Tools

#: The field of a task's metadata that asks for this, with the receiver's time zone: ``Europe/Berlin``.
FIELD = "office_hours"

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\w{3})-(\w{3}) (\d\d):(\d\d)-(\d\d):(\d\d)")


class OfficeHours:
    """Moves retries to the next opening; ``OFFICE_HOURS`` in the environment, ``Mon-Fri 09:00-17:00`` where it is not set."""

    def __init__(self, tools: Tools) -> None:
        text = os.environ.get("OFFICE_HOURS", "Mon-Fri 09:00-17:00").strip()
        found = _HOURS.fullmatch(text)
        if found is None:
            raise ValueError(f'OFFICE_HOURS is {text!r}; write for example "Mon-Fri 09:00-17:00"')
        first, last = (_DAYS.index(day.lower()) for day in found.group(1, 2))
        self._days = frozenset(range(first, last + 1))
        opens, closes = (
            timedelta(hours=int(found[3]), minutes=int(found[4])),
            timedelta(hours=int(found[5]), minutes=int(found[6])),
        )
        self._opens, self._closes = opens, closes
        if not self._days or opens >= closes:
            raise ValueError(f"OFFICE_HOURS is {text!r}, which is never")

    def next(self, planned: Planned) -> RetryAt | None:
        """Return the next opening, for a task that asks for it and whose retry would come outside of the hours."""
        zone = dict(planned.metadata).get(FIELD)
        if zone is None:
            return None
        due = datetime.fromtimestamp(planned.due_at_ms / 1000, ZoneInfo(zone))
        if self._open(due):
            return None
        day = due.replace(hour=0, minute=0, second=0, microsecond=0)
        for ahead in range(8):
            # Sums of wall clock time, so that the office opens at nine on the days on which clocks change, too.
            opening = day + timedelta(days=ahead) + self._opens
            if opening > due and opening.weekday() in self._days:
                return RetryAt(int(opening.timestamp() * 1000))
        return None

    def _open(self, at: datetime) -> bool:
        since_midnight = timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)
        return at.weekday() in self._days and self._opens <= since_midnight < self._closes
