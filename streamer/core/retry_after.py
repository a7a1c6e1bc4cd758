"""The pause that a peer's Retry-After asks for (RFC 9110, sections 10.2.3 and 5.6.7).

Must not know who pauses, nor how long a pause may be at most; that is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SECONDS = re.compile(r"[0-9]+")
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        # IMF-fixdate, then the two obsolete forms: RFC 850 and asctime.
        rf"[a-z]{{3}}, (?P<day>[0-9]{{1,2}}) (?P<month>[a-z]{{3}}) (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"[a-z]{{6,9}}, (?P<day>[0-9]{{1,2}})-(?P<month>[a-z]{{3}})-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[0-9 ]?[0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
#: Days from the year 1 to 1970.
_EPOCH_DAY = 719_162
_MS_PER_YEAR = 31_556_952_000
#: More digits than any second that anybody waits for; int() refuses some thousands of them.
_MOST_DIGITS = 15


def retry_after_ms(headers: Sequence[tuple[str, str]], now_ms: int, cap_ms: int) -> int | None:
    """Return the pause in ms, at most ``cap_ms``; None where none is asked for.

    The rule: the first Retry-After counts, whatever follows. Whole seconds are taken as they are, 0 too, and a date as
    the time until then, its weekday unread. What is neither (a sign, a fraction, words, a date that is none) and a date
    in the past ask for nothing. What is longer than the cap is cut to it.
    """
    for name, value in headers:
        if name.lower() == "retry-after":
            return _pause_ms(value.strip(" \t"), int(now_ms), cap_ms)
    return None


def _pause_ms(value: str, now_ms: int, cap_ms: int) -> int | None:
    if _SECONDS.fullmatch(value):
        digits = value.lstrip("0") or "0"
        return cap_ms if len(digits) > _MOST_DIGITS else min(int(digits) * 1_000, cap_ms)
    at_ms = _date_ms(value, now_ms)
    if at_ms is None or at_ms < now_ms:
        return None
    return min(at_ms - now_ms, cap_ms)


def _date_ms(value: str, now_ms: int) -> int | None:
    match = next((match for form in _FORMS if (match := form.fullmatch(value))), None)
    if match is None or (month_name := match["month"].lower()) not in _MONTHS:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        # RFC 9110: two digits mean the last such year that is not more than 50 years ahead.
        latest = 1970 + now_ms // _MS_PER_YEAR + 50
        year = latest - (latest - year) % 100
    month, day = _MONTHS.index(month_name), int(match["day"])
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    month_days = _DAYS_BEFORE[month + 1] - _DAYS_BEFORE[month] + (leap and month == 1)
    # A minute may have a leap second.
    if not 1 <= day <= month_days or hour > 23 or minute > 59 or second > 60:
        return None
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400 + _DAYS_BEFORE[month] + (leap and month > 1) + day - 1
    return (((days - _EPOCH_DAY) * 24 + hour) * 60 + minute) * 60_000 + second * 1_000
