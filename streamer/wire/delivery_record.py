"""A delivery on ``deliveries``, ``claims``, ``due`` and ``retry-*``: internal JSON, version 1, short names.

A field that has its default (in brackets) is left out; an unknown field is refused. Instants are epoch ms.

    v  version, 1            t  task id               b  business             bi business id [none]
    l  lane                  o  origin: [topic, partition, offset, timestamp]
    a  accepted at           d  due at                g  generation [1]       n  the next attempt [1]
    s  seen [false]          e  epoch [0]             w  why it waits [no]    f  faults [0]
    p  promise [none]        c  command id [none]     sh shard [0]
    wt waits [0]             sl slot [none]           rv revision [0]

and the fields of the request, which normal_request describes.
"""

from __future__ import annotations

from typing import Any

import orjson

from streamer.core.delivery import Delivery, Origin, Why
from streamer.wire.normal_request import FIELDS as REQUEST_FIELDS
from streamer.wire.normal_request import RANGES as REQUEST_RANGES
from streamer.wire.normal_request import put_request, take_request
from streamer.wire.sealed import FIELD, Sealer, open_request, seal_request
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1

_FIELDS: dict[str, type] = {
    **dict.fromkeys(("v", "a", "d", "g", "n", "e", "f", "p", "sh", "wt", "sl", "rv"), int),
    **dict.fromkeys(("t", "b", "bi", "l", "w", "c"), str),
    "o": list,
    "s": bool,
    **REQUEST_FIELDS,
}
# What the table's entries and the sender can hold: a number beyond would raise there, as a fault of ours.
_RANGES: dict[str, range] = {
    "v": range(VERSION, VERSION + 1),
    **dict.fromkeys(("a", "d", "p", "sl"), range(1 << 53)),
    **dict.fromkeys(("g", "n"), range(1, 1 << 31)),
    **dict.fromkeys(("e", "f", "sh", "wt", "rv"), range(1 << 31)),
    **REQUEST_RANGES,
}
_ORIGIN = [str, int, int, int]
_PARTITION, _OFFSET, _TIMESTAMP = range(1 << 16), range(1 << 48), range(-(1 << 63), 1 << 63)
_WHYS = {why.value: why for why in Why}


def encode_delivery(delivery: Delivery, sealer: Sealer | None = None) -> bytes:
    """Return the delivery as the record's value."""
    origin = delivery.origin
    record: dict[str, Any] = {
        "v": VERSION,
        "t": delivery.task_id,
        "b": delivery.business,
        "l": delivery.lane,
        "o": (origin.topic, origin.partition, origin.offset, origin.timestamp_ms),
        "a": delivery.accepted_at_ms,
        "d": delivery.due_at_ms,
    }
    if delivery.generation != 1:
        record["g"] = delivery.generation
    if delivery.attempt != 1:
        record["n"] = delivery.attempt
    if delivery.seen:
        record["s"] = True
    if delivery.epoch:
        record["e"] = delivery.epoch
    if delivery.faults:
        record["f"] = delivery.faults
    if delivery.business_id is not None:
        record["bi"] = delivery.business_id
    if delivery.why is not None:
        record["w"] = delivery.why
    if delivery.promise_ms is not None:
        record["p"] = delivery.promise_ms
    if delivery.command_id is not None:
        record["c"] = delivery.command_id
    if delivery.shard:
        record["sh"] = delivery.shard
    if delivery.waits:
        record["wt"] = delivery.waits
    if delivery.slot_ms is not None:
        record["sl"] = delivery.slot_ms
    if delivery.revision:
        record["rv"] = delivery.revision
    put_request(record, delivery.request)
    if sealer is not None:
        seal_request(record, sealer)
    return orjson.dumps(record)


def decode_delivery(value: bytes | None, sealer: Sealer | None = None) -> Delivery:
    """Return the delivery; UnreadableRecord names the field and what is wrong with it, KeyMissing a key that is not here."""
    if not value:
        raise UnreadableRecord(None, "the record has no value; a delivery is a JSON object")
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(None, f"the record is no JSON: {error}") from None
    return delivery_of(record, sealer)


def delivery_of(record: Any, sealer: Sealer | None = None) -> Delivery:
    """Return the delivery that stands, already parsed, in another record."""
    if type(record) is not dict:
        raise UnreadableRecord(None, "a delivery must be a JSON object")
    if FIELD in record:
        open_request(record, sealer)
    _check(record)
    get = record.get
    try:
        return Delivery(
            record["t"],
            record["b"],
            get("bi"),
            record["l"],
            take_request(record),
            _origin(record["o"]),
            record["a"],
            record["d"],
            get("g", 1),
            get("n", 1),
            get("s", False),
            get("e", 0),
            _why(record["w"]) if "w" in record else None,
            get("f", 0),
            get("p"),
            get("c"),
            get("sh", 0),
            get("wt", 0),
            get("sl"),
            get("rv", 0),
        )
    except KeyError as error:
        field = str(error.args[0])
        raise UnreadableRecord(field, f"{field} is missing from the delivery") from None


def _check(record: dict[str, Any]) -> None:
    if record.get("v") != VERSION:
        raise UnreadableRecord("v", f"v must be {VERSION}; another release of Streamer may have written it")
    fields, ranges = _FIELDS, _RANGES
    for name, item in record.items():
        kind = type(item)
        if fields.get(name) is not kind:
            allowed = fields.get(name)
            reason = f"must be of type {allowed.__name__}" if allowed else "is no field of a delivery of version 1"
            raise UnreadableRecord(name[:60], f"{name[:60]} {reason}")
        if kind is int and item not in ranges[name]:
            bounds = ranges[name]
            raise UnreadableRecord(name, f"{name} must be from {bounds.start} to {bounds.stop - 1}")


def _origin(raw: list[Any]) -> Origin:
    if list(map(type, raw)) != _ORIGIN:
        raise UnreadableRecord("o", "o must be [topic, partition, offset, timestamp]")
    if raw[1] not in _PARTITION or raw[2] not in _OFFSET or raw[3] not in _TIMESTAMP:
        raise UnreadableRecord(
            "o", "o must have a partition below 2^16, an offset below 2^48 and a timestamp of 64 bits"
        )
    return Origin(*raw)


def _why(written: str) -> Why:
    why = _WHYS.get(written)
    if why is None:
        raise UnreadableRecord("w", f"w must be one of {', '.join(_WHYS)}")
    return why
