"""The live figures of lanes, as they stand on `lanes`: read, and put in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from streamer.adapters.kafka.log_reader import read_log
from streamer.cli.cluster import Installation
from streamer.wire.lane_record import decode_figures
from streamer.wire.unreadable import UnreadableRecord

COLUMNS = ("calls/s", "in flight", "queue", "open", "breaker", "p95 ms")
_NONE = ("-",) * len(COLUMNS)

#: A domain's figures, one of each shard.
Figures = Mapping[str, Sequence[dict[str, Any]]]


async def read_figures(place: Installation) -> Figures:
    """Return the figures of every lane that has some, by domain; raises Unreachable and TopicMissing."""
    by_lane: dict[bytes, dict[str, Any]] = {}
    async with aclosing(read_log(place.options, place.topics.lanes)) as records:
        async for record in records:
            by_lane.pop(record.key or b"", None)
            try:
                by_lane[record.key or b""] = decode_figures(record.value)
            except UnreadableRecord:
                # A tombstone, or a figure in a form of another version: either way there is none.
                continue
    found: dict[str, list[dict[str, Any]]] = {}
    for figures in by_lane.values():
        found.setdefault(figures["domain"], []).append(figures)
    return {domain: sorted(each, key=lambda figures: figures["shard"]) for domain, each in found.items()}


def cells_of(figures: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a domain's figures under the columns, its shards taken together."""
    if not figures:
        return _NONE
    sums = [sum(each[name] for each in figures) for name in ("in_flight", "queue", "open_tasks")]
    used = sum(each["rate_used_per_s"] for each in figures)
    breakers = sorted({str(each["breaker"]) for each in figures})
    slowest = [each["p95_ms"] for each in figures if each.get("p95_ms") is not None]
    p95 = f"{max(slowest):.0f}" if slowest else "-"
    return (f"{used:.1f}", *map(str, sums), ", ".join(breakers), p95)
