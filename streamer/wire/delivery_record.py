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

from streamer.core.delivery import Delivery, Origin
from streamer.wire.delivery_error import check_delivery
from streamer.wire.delivery_fields import VERSION, DeliveryFields, parse_fields
from streamer.wire.normal_request import RETRY_FORM, put_request, take_request
from streamer.wire.sealed import FIELD, Sealer, open_request, seal_request
from streamer.wire.unreadable import UnreadableRecord


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
    if sealer is None:
        try:
            return _made(parse_fields(value))
        except (ValueError, RecursionError, UnreadableRecord):
            # Nothing here says which field is wrong, or the request is sealed: it is read again with care.
            pass
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
    check_delivery(record)
    try:
        plain = orjson.dumps(record)
    except TypeError:
        # The policy alone can be nested, and is deeper than can be written again.
        raise UnreadableRecord("r", RETRY_FORM) from None
    return _made(parse_fields(plain))


def _made(found: DeliveryFields) -> Delivery:
    return Delivery(
        found.task_id,
        found.business,
        found.business_id,
        found.lane,
        take_request(found),
        Origin(*found.origin),
        found.accepted_at_ms,
        found.due_at_ms,
        found.generation,
        found.attempt,
        found.seen,
        found.epoch,
        found.why,
        found.faults,
        found.promise_ms,
        found.command_id,
        found.shard,
        found.waits,
        found.slot_ms,
        found.revision,
    )
