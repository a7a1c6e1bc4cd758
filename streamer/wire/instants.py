"""Instants as records write them (RFC 3339, ms, Z) and as the core counts them (epoch ms)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
# Years 1 and 9999. A producer may stamp its Kafka record with any 64 bits, and its result must be written all the same.
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)
_MS_TEXTS = tuple([f".{ms:03d}Z" for ms in range(1000)])
ALLOWED = 'an RFC 3339 instant with a zone, such as "2026-01-31T09:30:00Z" or "2026-01-31T10:30:00.250+01:00"'


def parse_instant(text: str) -> int:
    """Return an RFC 3339 instant in epoch ms, cut to the ms; ValueError when it is none, or has no zone."""
    match = _RFC3339.match(text)
    if match is None:
        raise ValueError(f"must be {ALLOWED}")
    date, time, fraction, zone = match.groups()
    try:
        whole = datetime.fromisoformat(f"{date}T{time}{zone.upper()}")
    except ValueError:
        raise ValueError(f"must be {ALLOWED}; there is no such day, time or zone") from None
    return (whole - _EPOCH) // _MS + int((fraction or "0").ljust(3, "0")[:3])


def format_instant(at_ms: int) -> str:
    """Write epoch ms as an RFC 3339 instant in UTC with ms; the first or last ms that has one for those beyond."""
    if not _FIRST_MS <= at_ms <= _LAST_MS:
        at_ms = _FIRST_MS if at_ms < _FIRST_MS else _LAST_MS
    return _second(at_ms // 1000) + _MS_TEXTS[at_ms % 1000]


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    # Results of one second share this text: the calendar costs more than the rest of the instant.
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
