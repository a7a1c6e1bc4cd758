"""What is told about lanes: figures for people on ``lanes``, and signals between shards on ``control``. JSON, version 1."""

from __future__ import annotations

from typing import Any

import orjson

from streamer.core.emit import LaneSignal
from streamer.core.figures import LaneFigures
from streamer.wire.instants import format_instant
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1

#: Tells a signal from a command, which stands on the same topic.
SIGNAL = "lane_signal"

_LATEST = range(1 << 53)
_SIGNAL_FIELDS: dict[str, range] = {
    **dict.fromkeys(("paused_until_ms", "open_until_ms", "at_ms"), _LATEST),
    **dict.fromkeys(("shard", "partition"), range(1 << 16)),
}


def lane_name(lane: str, shard: int) -> str:
    """Return a lane's key on ``lanes``: the domain, and the shard where it is not the first."""
    return f"{lane}#{shard}" if shard else lane


def encode_figures(figures: LaneFigures) -> bytes | None:
    """Return the record's value; None, a tombstone, for a lane that is gone."""
    if figures.gone:
        return None
    record: dict[str, Any] = {
        "v": VERSION,
        "domain": figures.lane,
        "shard": figures.shard,
        "at": format_instant(figures.at_ms),
        "rate_used_per_s": round(figures.rate_used_per_s, 3),
        "rate_allowed_per_s": figures.rate_allowed_per_s,
        "concurrency": figures.concurrency,
        "in_flight": figures.in_flight,
        "queue": figures.queue,
        "queue_limit": figures.queue_limit,
        "open_tasks": figures.open_tasks,
        "breaker": figures.breaker,
        "open_until": _instant(figures.open_until_ms),
        "paused_until": _instant(figures.paused_until_ms),
        "paused_by": figures.paused_by,
        "promised_until": _instant(figures.promised_until_ms),
        "oldest_waiting_ms": figures.oldest_waiting_ms,
        "p50_ms": figures.p50_ms,
        "p95_ms": figures.p95_ms,
        "worker": figures.worker,
    }
    return orjson.dumps(record)


def decode_figures(value: bytes | None) -> dict[str, Any]:
    """Return a lane's figures as they stand in the record, for people; UnreadableRecord when it has none."""
    try:
        record = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(None, f"the record is no JSON: {error}") from None
    if not isinstance(record, dict) or record.get("v") != VERSION or type(record.get("domain")) is not str:
        raise UnreadableRecord("domain", f"a lane's figures have v {VERSION} and the domain as text")
    return record


def encode_signal(signal: LaneSignal) -> bytes:
    """Return a signal as the record's value."""
    return orjson.dumps(
        {
            "v": VERSION,
            "kind": SIGNAL,
            "lane": signal.lane,
            "shard": signal.shard,
            "partition": signal.partition,
            "paused_until_ms": signal.paused_until_ms,
            "open_until_ms": signal.open_until_ms,
            "at_ms": signal.at_ms,
        }
    )


def signal_of(record: dict[str, Any]) -> LaneSignal:
    """Return the signal that a record, already parsed, holds; UnreadableRecord names the field."""
    lane = record.get("lane")
    if record.get("v") != VERSION or type(lane) is not str:
        raise UnreadableRecord("lane", f"a lane's signal has v {VERSION} and the lane as text")
    for name, allowed in _SIGNAL_FIELDS.items():
        if type(record.get(name)) is not int or record[name] not in allowed:
            raise UnreadableRecord(name, f"{name} must be a whole number below {allowed.stop}")
    return LaneSignal(lane, **{name: record[name] for name in _SIGNAL_FIELDS})


def _instant(at_ms: int) -> str | None:
    return format_instant(at_ms) if at_ms else None
