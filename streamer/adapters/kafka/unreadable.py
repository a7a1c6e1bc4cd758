"""Decoders of our own topics: what cannot be read becomes a value that ends in the dead letters, with its bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from streamer.core.emit import UnreadableOf
from streamer.flow.owned import Item
from streamer.ports import Clock
from streamer.wire.control_record import decode_control
from streamer.wire.delivery_record import decode_delivery
from streamer.wire.sealed import Sealer
from streamer.wire.unreadable import UnreadableRecord


def decoders(clock: Clock, sealer: Sealer | None = None) -> Mapping[str, Callable[[Any], Item]]:
    """Return a decoder by source; they raise KeyMissing alone, which ends the worker: such a record must not be given up."""

    def guarded(decode: Callable[[bytes | None, Sealer | None], Item]) -> Callable[[Any], Item]:
        def read(record: Any) -> Item:
            try:
                return decode(record.value, sealer)
            except UnreadableRecord as error:
                return unreadable_record(record, error, clock.now_ms())

        return read

    delivery = guarded(decode_delivery)
    return {"deliveries": delivery, "due": delivery, "claims": delivery, "control": guarded(decode_control)}


def unreadable_record(record: Any, error: UnreadableRecord, now_ms: int) -> UnreadableOf:
    """Return a record as it came, with what is wrong with it."""
    return UnreadableOf(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
        field=error.field,
        reason=error.reason,
        at_ms=now_ms,
    )
