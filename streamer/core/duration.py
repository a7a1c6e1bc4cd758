"""Durations as people write them ("1m", "500ms", "1h30m") and as the core counts them, in ms.

Must not know which setting or field a duration stands in: the caller names it.
"""

from __future__ import annotations

import re

_UNIT_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_UNIT_ORDER = tuple(_UNIT_MS)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|[dhms])\s*")
_ALLOWED = 'write a number and a unit of ms, s, m, h or d, the larger first: "500ms", "30s", "1h30m", "7d"'
# Enough for every use (11,000 years), and far from where epoch ms plus a delay would leave 64 bits.
MAX_DURATION_MS = 4_000_000 * _UNIT_MS["d"]


def parse_duration_ms(value: str | int) -> int:
    """Return the whole ms of ``value``; an int is ms already.

    Raises ValueError, with what is allowed, for anything else: no unit, a negative, units repeated or out of
    order, a fraction of a ms.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{value!r} is no duration: {_ALLOWED}")
    ms = value if isinstance(value, int) else _sum_of_parts(value)
    if not 0 <= ms <= MAX_DURATION_MS:
        raise ValueError(f"{value!r} is no duration from 0 to {format_duration(MAX_DURATION_MS)}")
    return ms


def _sum_of_parts(written: str) -> int:
    text = written.strip().lower()
    at, rank, total = 0, -1, 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or _UNIT_ORDER.index(part[2]) <= rank:
            raise ValueError(f"{written!r} is no duration: {_ALLOWED}")
        at, rank = part.end(), _UNIT_ORDER.index(part[2])
        total += _exact_ms(part[1], part[2], written)
    if rank < 0:
        raise ValueError(f"{written!r} is no duration: {_ALLOWED}")
    return total


def _exact_ms(number: str, unit: str, written: str) -> int:
    """Multiply without floats: 0.1 s must be 100 ms, and 0.0001 s is a mistake, not 0."""
    whole, _, fraction = number.partition(".")
    if len(number) > 20:
        raise ValueError(f"{written[:40]!r} is no duration: the number is too long")
    scaled = int(whole + fraction) * _UNIT_MS[unit]
    scale: int = 10 ** len(fraction)
    ms, rest = divmod(scaled, scale)
    if rest:
        raise ValueError(f"{written!r} is no duration of whole milliseconds")
    return ms


def format_duration(duration_ms: int) -> str:
    """Write ms so that ``parse_duration_ms`` reads the same back: 5_400_000 is "1h30m", 0 is "0s"."""
    if duration_ms < 0:
        raise ValueError(f"{duration_ms} ms is negative, and no duration")
    rest, parts = duration_ms, []
    for unit, size_ms in _UNIT_MS.items():
        count, rest = divmod(rest, size_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
