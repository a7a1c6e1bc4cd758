"""What a peer's Retry-After asks for: the forms of RFC 9110, and nothing from anything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.retry_after import retry_after_ms

#: Sun, 06 Nov 2022 08:49:37 GMT.
NOW_MS = 1_667_724_577_000
HOUR_MS = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Up to the end of the year 9999.
instants = st.integers(0, 253_402_300_799).map(lambda second: datetime.fromtimestamp(second, UTC))


def pause_ms(value: str, now_ms: int = NOW_MS, cap_ms: int = HOUR_MS) -> int | None:
    """Return the pause that one value asks for."""
    return retry_after_ms([("retry-after", value)], now_ms, cap_ms)


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("0", 0),
        ("7", 7_000),
        (" 120\t", 120_000),
        ("00007", 7_000),
        ("3601", HOUR_MS),
        ("9" * 10_000, HOUR_MS),
        ("0" * 10_000 + "1", 1_000),
        ("Sun, 06 Nov 2022 08:50:37 GMT", 60_000),
        ("Sunday, 06-Nov-22 08:50:37 GMT", 60_000),
        ("Sun Nov  6 08:50:37 2022", 60_000),
        ("Sun Nov 6 08:50:37 2022", 60_000),
        ("Mon, 6 Nov 2022 08:50:37 gmt", 60_000),
        ("Sun, 06 Nov 2022 08:49:60 GMT", 23_000),
        ("Sun, 06 Nov 2022 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", HOUR_MS),
    ],
)
def test_seconds_and_dates_are_understood(value: str, pause: int) -> None:
    """The weekday is not read, and whatever is longer than the cap is cut to it."""
    assert pause_ms(value) == pause


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        "1 0",
        "10s",
        "٣",  # a digit, but none of ASCII
        "1, 2",
        "Sun, 06 Nov 2022 08:49:36 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 2022 08:50:37",
        "Sun, 06 Nov 2022 08:50:37 CET",
        "Sun, 06 Nov 2022 24:00:00 GMT",
        "Sun, 06 Nov 2022 23:60:00 GMT",
        "Sun, 06 Nov 2022 23:00:61 GMT",
        "Sun, 31 Nov 2022 08:50:37 GMT",
        "Sun, 29 Feb 2023 08:50:37 GMT",
        "Sun, 00 Dec 2022 08:50:37 GMT",
        "Sun, 06 Foo 2023 08:50:37 GMT",
        "Sun, 06 Nov 0000 08:50:37 GMT",
        "2022-11-06T08:50:37Z",
    ],
)
def test_junk_and_the_past_ask_for_nothing(value: str) -> None:
    """No sign, no fraction, no date that is none, no other form."""
    assert pause_ms(value) is None


def test_the_first_header_counts() -> None:
    """Names are read in any case; a second value does not repair a first one that is junk."""
    assert retry_after_ms([("Date", "9"), ("RETRY-After", "1"), ("retry-after", "2")], NOW_MS, HOUR_MS) == 1_000
    assert retry_after_ms([("Retry-After", "junk"), ("Retry-After", "2")], NOW_MS, HOUR_MS) is None
    assert retry_after_ms([("X-Retry-After", "2")], NOW_MS, HOUR_MS) is None
    assert retry_after_ms([], NOW_MS, HOUR_MS) is None


@pytest.mark.parametrize(("year", "two_digits"), [(2072, "72"), (2022, "22"), (2071, "71")])
def test_two_digits_are_the_last_such_year_up_to_fifty_ahead(year: int, two_digits: str) -> None:
    """Fifty years ahead is the future; fifty-one would be, and is the past."""
    expected = datetime(year, 12, 31, tzinfo=UTC)
    value = f"Monday, 31-Dec-{two_digits} 00:00:00 GMT"
    assert pause_ms(value, cap_ms=10**15) == (expected - EPOCH) // timedelta(milliseconds=1) - NOW_MS
    assert pause_ms("Monday, 31-Dec-73 00:00:00 GMT") is None


@pytest.mark.parametrize("year", [1972, 1999, 2000, 2023, 2024, 2100, 2400])
@pytest.mark.parametrize(("month", "day"), [(1, 1), (2, 28), (3, 1), (12, 31)])
def test_leap_years_are_those_of_the_calendar(year: int, month: int, day: int) -> None:
    """Before and after the day that some years have and others have not."""
    at = datetime(year, month, day, tzinfo=UTC)
    assert pause_ms(format_datetime(at, usegmt=True), 0, 10**15) == (at - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.parametrize(("year", "is_one"), [(2000, True), (2024, True), (2023, False), (2100, False)])
def test_the_29th_of_february_is_a_date_in_leap_years(year: int, is_one: bool) -> None:
    """In others it is junk."""
    assert (pause_ms(f"Mon, 29 Feb {year} 00:00:00 GMT", now_ms=0) is not None) == is_one


@given(instants, st.integers(-(10**12), 10**12), st.integers(0, 10**9))
def test_dates_are_those_of_the_calendar(at: datetime, ahead_ms: int, cap_ms: int) -> None:
    """All forms give the time until then, for any day of four digits' years."""
    at_ms = (at - EPOCH) // timedelta(milliseconds=1)
    now_ms = max(0, at_ms - ahead_ms)
    expected = min(at_ms - now_ms, cap_ms) if at_ms >= now_ms else None
    # Year 999 would be written with three digits by strftime on some systems.
    asctime = f"{at:%a %b} {at.day:2} {at:%H:%M:%S} {at.year:04}"
    assert pause_ms(format_datetime(at, usegmt=True), now_ms, cap_ms) == expected
    assert pause_ms(asctime, now_ms, cap_ms) == expected
    if abs(at_ms - now_ms) < 49 * 365 * 86_400_000:
        assert pause_ms(f"{at:%A, %d-%b-%y %H:%M:%S} GMT", now_ms, cap_ms) == expected


date_like = st.from_regex(
    r"(\w{0,9}(, | )?)?[0-9 ]{0,2}[ -]?(Jan|Feb|\w{3})[ -][0-9]{0,4} [0-9]{0,2}:[0-9]{2}:[0-9]{2}( GMT| [0-9]{4})?",
    fullmatch=True,
)


@given(
    st.lists(st.tuples(st.text() | st.just("Retry-After"), st.text() | st.from_regex(r"\d+") | date_like)),
    st.integers(0, 10**14),
)
def test_no_text_raises(headers: list[tuple[str, str]], now_ms: int) -> None:
    """Whatever a peer sends is a pause within the bounds, or none."""
    pause = retry_after_ms(headers, now_ms, HOUR_MS)
    assert pause is None or 0 <= pause <= HOUR_MS
