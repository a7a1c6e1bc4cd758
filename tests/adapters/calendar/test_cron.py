"""Cron expressions in time zones, over the days on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.adapters.calendar.cron import CronCalendar

CALENDAR = CronCalendar()
ZURICH, NEW_YORK = "Europe/Zurich", "America/New_York"
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def ms(text: str) -> int:
    """Return an instant, written in UTC, in epoch ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def instants(cron: str, zone: str, after: str, count: int) -> list[str]:
    """Return the next instants, written in UTC."""
    found, at_ms = [], ms(after)
    for _ in range(count):
        following = CALENDAR.next_after(cron, zone, at_ms)
        assert following is not None
        assert following > at_ms
        found.append(datetime.fromtimestamp(following // 1000, UTC).strftime("%m-%dT%H:%M"))
        at_ms = following
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        ("*/20 9 * * MON-FRI", "UTC", "2026-01-02T09:30", ["01-02T09:40", "01-05T09:00", "01-05T09:20"]),
        ("0 9 1 * *", ZURICH, "2026-06-15", ["07-01T07:00", "08-01T07:00"]),
        # The clock goes from 02:00 to 03:00 at 01:00 UTC: what falls into the gap comes at its end, once.
        ("30 2 * * *", ZURICH, "2026-03-28T12:00", ["03-29T01:00", "03-30T00:30"]),
        ("0,30 2 * * *", ZURICH, "2026-03-28T12:00", ["03-29T01:00", "03-30T00:00", "03-30T00:30"]),
        ("0 2,3 * * *", ZURICH, "2026-03-28T12:00", ["03-29T01:00", "03-30T00:00", "03-30T01:00"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07T12:00", ["03-08T07:00", "03-09T06:30"]),
        # It goes back from 03:00 to 02:00 at 01:00 UTC: what falls into the repeated hour comes the first time alone.
        ("30 2 * * *", ZURICH, "2026-10-24T12:00", ["10-25T00:30", "10-26T01:30"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00", ["11-01T05:30", "11-02T06:30"]),
        # The days around keep their time.
        ("0 5 * * *", ZURICH, "2026-03-28T12:00", ["03-29T03:00", "03-30T03:00"]),
        ("10 3 * * 0", ZURICH, "2026-10-19T12:00", ["10-25T02:10", "11-01T02:10"]),
        # What is no time of day follows the time that passes, also through the hour that is repeated.
        ("*/30 * * * *", ZURICH, "2026-10-24T23:40", ["10-25T00:00", "10-25T00:30", "10-25T01:00", "10-25T01:30"]),
        ("0 * * * *", NEW_YORK, "2026-03-08T05:30", ["03-08T06:00", "03-08T07:00", "03-08T08:00"]),
    ],
)
def test_instants(cron: str, zone: str, after: str, expected: list[str]) -> None:
    """Each expression comes at the instants that the wall clock of its zone says."""
    assert instants(cron, zone, after, len(expected)) == expected


def test_asked_within_the_repeated_hour_nothing_comes_a_second_time() -> None:
    """At 02:30 for the second time, 02:45 has been: the next is that of the day after."""
    assert instants("45 2 * * *", ZURICH, "2026-10-25T01:30", 1) == ["10-26T01:45"]


def test_an_instant_is_after_the_one_asked_for() -> None:
    """To the millisecond: at the instant itself the next one is given, one ms before it this one."""
    nine_ms = ms("2026-01-01T09:00")
    assert CALENDAR.next_after("0 9 * * *", "UTC", nine_ms - 1) == nine_ms
    assert CALENDAR.next_after("0 9 * * *", "UTC", nine_ms) == ms("2026-01-02T09:00")


def test_there_may_be_no_next_instant() -> None:
    """For what never comes, and beyond the last year that a calendar has, there is none."""
    assert CALENDAR.next_after("0 9 */31 * MON#2", ZURICH, ms("2026-01-01")) is None
    assert CALENDAR.next_after("0 9 * * *", ZURICH, ms("9999-12-31T09:00")) is None


START = datetime(2026, 1, 1, tzinfo=UTC)
CHANGES = (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC))


@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.sampled_from([ZURICH, NEW_YORK, "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.sampled_from(CHANGES),
    st.integers(-3 * 86_400, 3 * 86_400),
)
@example(30, 2, ZURICH, CHANGES[0], 0)
@example(30, 2, ZURICH, CHANGES[1], 5_400)
def test_a_time_of_day_comes_once_a_day(minute: int, hour: int, zone: str, change: datetime, offset_s: int) -> None:
    """From wherever it is asked, the next instant is the next that the wall clock shows that time first, or skips it."""
    after_ms = int((change + timedelta(seconds=offset_s)).timestamp()) * 1000
    expected = min(at for at in (_on(day, minute, hour, zone) for day in _days(after_ms)) if at > after_ms)
    assert CALENDAR.next_after(f"{minute} {hour} * * *", zone, after_ms) == expected


def _days(after_ms: int) -> list[datetime]:
    middle = datetime.fromtimestamp(after_ms // 1000, UTC)
    return [middle + timedelta(days=days) for days in range(-2, 4)]


def _on(day: datetime, minute: int, hour: int, zone: str) -> int:
    """Return when a day's wall clock shows a time, or passes over it, minute by minute."""
    wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - a wall clock's time
    at = wall.replace(tzinfo=ZoneInfo(zone))
    while at.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != wall:
        wall += timedelta(minutes=1)
        at = wall.replace(tzinfo=ZoneInfo(zone))
    return int(at.timestamp()) * 1000


@pytest.mark.parametrize("cron", ["* * * * *", "*/5 8-18 * * mon-fri", "0 0 L * *", "0 9 * * 1#1", "0 0 29 2 *"])
def test_good_expressions(cron: str) -> None:
    """Five fields with stars, steps, lists, ranges and names are taken."""
    CALENDAR.check_cron(cron)


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("", "five fields"),
        ("@daily", "five fields"),
        ("* * * *", "five fields"),
        ("*/5 * * * * *", "for seconds use every"),
        ("60 * * * *", "bad minute"),
        ("* 24 * * *", "bad hour"),
        ("0 0 0 * *", "bad day-of-month"),
        ("* * * foo *", "bad month"),
        ("*/0 * * * *", "bad minute"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 */31 * MON#2", "does not come"),
        ("0 0 " + "1," * 200 + "1 * *", "five fields"),
    ],
)
def test_bad_expressions(cron: str, why: str) -> None:
    """What is no expression, or never comes true, is refused with what is allowed."""
    with pytest.raises(ValueError, match=why):
        CALENDAR.check_cron(cron)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../UTC", "Europe", "CET+1", "\0"])
def test_unknown_zones(zone: str) -> None:
    """A zone that the database does not have is refused with what is allowed."""
    with pytest.raises(ValueError, match="IANA database"):
        CALENDAR.check_zone(zone)


@pytest.mark.parametrize("zone", ["UTC", ZURICH, NEW_YORK])
def test_known_zones(zone: str) -> None:
    """Names of the database are taken."""
    CALENDAR.check_zone(zone)
