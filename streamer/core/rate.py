"""Rates as people write them ("10/s", "10/5s", "1000/m"): so many calls in so long an interval.

Must not know who is limited, nor the time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamer.core.duration import format_duration, parse_duration_ms

_WRITTEN = re.compile(r"\s*([0-9]{1,9})\s*/\s*([0-9a-z. ]{1,40})")
_ALLOWED = 'write an amount per interval: "10/s", "10/5s", "1000/m"'
#: The slowest rate is one call in this long, the fastest a million a second.
LONGEST_INTERVAL_MS = 86_400_000
MOST_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """``amount`` calls in each ``interval_ms``."""

    amount: int
    interval_ms: int

    @property
    def spacing_ms(self) -> float:
        """The time between two calls at an even pace: GCRA's emission interval."""
        return self.interval_ms / self.amount

    @property
    def per_s(self) -> float:
        """Calls a second."""
        return self.amount * 1000 / self.interval_ms

    def __str__(self) -> str:
        """Write it so that ``parse_rate`` reads the same back."""
        interval = format_duration(self.interval_ms)
        return f"{self.amount}/{interval[1:] if interval in ('1s', '1m', '1h', '1d') else interval}"


def parse_rate(written: str) -> Rate:
    """Read a rate; ValueError says what is allowed."""
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise ValueError(f"{written!r} is no rate: {_ALLOWED}")
    interval = match[2]
    try:
        interval_ms = parse_duration_ms(interval if interval[0].isdigit() else f"1{interval}")
    except ValueError:
        raise ValueError(f"{written!r} is no rate: {_ALLOWED}") from None
    rate = Rate(int(match[1]), interval_ms)
    if not rate.amount or not rate.interval_ms:
        raise ValueError(f"{written!r} is no rate: amount and interval must be more than 0; a pause stops a domain")
    if rate.spacing_ms > LONGEST_INTERVAL_MS or rate.per_s > MOST_PER_S:
        raise ValueError(f"{written!r} is no rate from 1/d to {MOST_PER_S}/s")
    return rate


def usual_burst(rate: Rate) -> int:
    """Return the burst of a rate where none is given: one second's worth, at least 1."""
    return max(1, round(rate.per_s))
