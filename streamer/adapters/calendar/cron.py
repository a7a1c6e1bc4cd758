"""Cron expressions in time zones, by cronsim and the IANA database."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_FIELDS = 5
_MOST_CHARACTERS = 200
_SAMPLE = datetime(2026, 1, 1, tzinfo=UTC)
_ALLOWED = 'five fields (minute, hour, day of month, month, day of week), such as "*/5 * * * *" or "30 2 * * MON-FRI"'


class CronCalendar:
    """Implements the calendar as Debian's cron does.

    An expression whose minute and hour both name times (neither begins with a star) follows the wall clock: a time that
    the clock skips in spring comes at the end of the gap, one that it repeats in autumn comes once, the first time. Any
    other follows the time that really passes, so that every five minutes stays every five minutes.
    """

    def next_after(self, cron: str, time_zone: str, after_ms: int) -> int | None:
        """Return the first instant after ``after_ms``, in epoch ms; None when none comes in the next 50 years."""
        try:
            for tick in CronSim(cron, datetime.fromtimestamp(after_ms // 1000, _zone(time_zone))):
                at_ms = int(tick.timestamp()) * 1000
                # Asked within an hour that is repeated, cronsim begins with what was due in it the first time.
                if at_ms > after_ms:
                    return at_ms
        except (OverflowError, ValueError):
            # Beyond the year 9999.
            return None
        return None

    def check_cron(self, cron: str) -> None:
        """Raise ValueError, with what is allowed, unless the expression is one, and some day comes true."""
        if len(cron) > _MOST_CHARACTERS or len(cron.split()) != _FIELDS:
            raise ValueError(f"must be {_ALLOWED}; for seconds use every")
        try:
            comes = next(CronSim(cron, _SAMPLE), None)
        except CronSimError as error:
            raise ValueError(f"must be {_ALLOWED}: {str(error).lower()}") from None
        if comes is None:
            raise ValueError("names a day that does not come in 50 years")

    def check_zone(self, time_zone: str) -> None:
        """Raise ValueError, with what is allowed, unless the time zone is known."""
        try:
            _zone(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError('must be a name of the IANA database, such as "UTC" or "Europe/Zurich"') from None


def _zone(name: str) -> tzinfo:
    # cronsim knows this one by itself, and is faster with it.
    return UTC if name == "UTC" else ZoneInfo(name)
