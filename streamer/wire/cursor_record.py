"""How far a schedule has come, as a record on ``config``: key ``fired:NAME``. JSON, version 1."""

from __future__ import annotations

import orjson

from streamer.core.schedule import Cursor
from streamer.wire.instants import format_instant, parse_instant
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1
#: What the key begins with; the schedule's name follows.
FIRED = "fired:"


def encode_cursor(cursor: Cursor) -> bytes:
    """Return the record's value."""
    record = {"v": VERSION, "at": format_instant(cursor.at_ms), "timing": cursor.timing}
    if cursor.fired_ms is not None:
        record |= {"fired": format_instant(cursor.fired_ms), "fired_at": format_instant(cursor.fired_at_ms)}
    return orjson.dumps(record)


def decode_cursor(name: str, value: bytes) -> Cursor:
    """Return the cursor of a schedule; UnreadableRecord names the field."""
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(None, f"the record is no JSON: {error}") from None
    if not isinstance(record, dict) or record.get("v") != VERSION:
        raise UnreadableRecord("v", f"the record must be a JSON object with v {VERSION}")
    timing = record.get("timing", "")
    if type(timing) is not str:
        raise UnreadableRecord("timing", "timing must be text")
    fired = "fired" in record
    return Cursor(
        name,
        timing,
        _instant(record, "at"),
        fired_ms=_instant(record, "fired") if fired else None,
        fired_at_ms=_instant(record, "fired_at") if fired else 0,
    )


def _instant(record: dict[str, object], field: str) -> int:
    text = record.get(field)
    try:
        return parse_instant(text if isinstance(text, str) else "")
    except ValueError as error:
        raise UnreadableRecord(field, f"{field} {error}") from None
