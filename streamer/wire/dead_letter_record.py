"""Dead letters as ``dead-letter`` carries them: JSON, version 1, of two kinds.

``task``: a task we stopped trying, whole (``delivery``, in its internal form), with reason and last result.
``record``: a record that no task could be made of, with its bytes, key and header values in base64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from streamer.core.delivery import Delivery, Origin
from streamer.core.emit import DeadLetterOf, UnreadableOf
from streamer.wire.body_text import from_base64, to_base64
from streamer.wire.delivery_record import delivery_of, encode_delivery
from streamer.wire.instants import format_instant, parse_instant
from streamer.wire.result_record import dump, encode_result, origin_record
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1
KINDS = ("task", "record")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as read: a ``task`` has ``delivery`` and ``result``, a ``record`` what came."""

    kind: str
    reason: str
    at_ms: int
    origin: Origin
    task_id: str | None = None
    business: str | None = None
    lane: str | None = None
    delivery: Delivery | None = None
    result: dict[str, Any] | None = None
    field: str | None = None
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def encode_dead_letter(letter: DeadLetterOf | UnreadableOf) -> bytes:
    """Return a dead letter as the record's value."""
    return _of_task(letter) if isinstance(letter, DeadLetterOf) else _of_record(letter)


def decode_dead_letter(value: bytes | None) -> DeadLetter:
    """Return a dead letter; UnreadableRecord names the field and what is wrong with it."""
    try:
        record = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(None, f"the dead letter is no JSON: {error}") from None
    if type(record) is not dict:
        raise UnreadableRecord(None, "a dead letter must be a JSON object")
    if record.get("v") != VERSION:
        raise UnreadableRecord(
            "v", f"v must be {VERSION}; another release of Streamer may have written this dead letter"
        )
    kind = record.get("kind")
    if kind not in KINDS:
        raise UnreadableRecord("kind", f"kind must be one of {', '.join(KINDS)}")
    reason, at_ms, origin = _text(record, "reason"), _instant(record, "at"), _origin(record)
    if kind == "record":
        return DeadLetter(
            kind,
            reason,
            at_ms,
            origin,
            field=_text(record, "field") if "field" in record else None,
            key=_bytes(record, "key_base64"),
            value=_bytes(record, "value_base64"),
            headers=_headers(record),
        )
    return _task(record, reason, at_ms, origin)


def _of_task(letter: DeadLetterOf) -> bytes:
    delivery = letter.delivery
    return dump(
        {
            "v": VERSION,
            "kind": "task",
            "task_id": delivery.task_id,
            "business": delivery.business,
            "lane": delivery.lane,
            "method": delivery.request.method,
            "url": delivery.request.url,
            "reason": letter.reason,
            "at": format_instant(letter.at_ms),
            "origin": origin_record(delivery.origin),
            "result": orjson.Fragment(encode_result(letter.last)),
            "delivery": orjson.Fragment(encode_delivery(delivery)),
        }
    )


def _of_record(letter: UnreadableOf) -> bytes:
    record: dict[str, Any] = {
        "v": VERSION,
        "kind": "record",
        "reason": letter.reason,
        "at": format_instant(letter.at_ms),
        "origin": origin_record(Origin(letter.topic, letter.partition, letter.offset, letter.timestamp_ms)),
    }
    if letter.field is not None:
        record["field"] = letter.field
    if letter.key is not None:
        record["key_base64"] = to_base64(letter.key)
    if letter.value is not None:
        record["value_base64"] = to_base64(letter.value)
    if letter.headers:
        record["headers"] = [(name, to_base64(raw or b"")) for name, raw in letter.headers]
    return dump(record)


def _task(record: dict[str, Any], reason: str, at_ms: int, origin: Origin) -> DeadLetter:
    try:
        delivery = delivery_of(record.get("delivery"))
    except UnreadableRecord as error:
        raise UnreadableRecord(f"delivery.{error.field}" if error.field else "delivery", error.reason) from None
    result = record.get("result")
    if type(result) is not dict:
        raise UnreadableRecord("result", "result must be an object")
    return DeadLetter(
        "task",
        reason,
        at_ms,
        origin,
        task_id=delivery.task_id,
        business=delivery.business,
        lane=delivery.lane,
        delivery=delivery,
        result=result,
    )


def _text(record: dict[str, Any], field: str) -> str:
    text = record.get(field)
    if type(text) is not str:
        raise UnreadableRecord(field, f"{field} must be text")
    return text


def _instant(record: dict[str, Any], field: str) -> int:
    try:
        return parse_instant(_text(record, field))
    except ValueError as error:
        raise UnreadableRecord(field, f"{field} {error}") from None


def _origin(record: dict[str, Any]) -> Origin:
    raw = record.get("origin")
    if type(raw) is not dict or type(raw.get("partition")) is not int or type(raw.get("offset")) is not int:
        raise UnreadableRecord("origin", "origin must have topic, partition, offset and timestamp")
    return Origin(_text(raw, "topic"), raw["partition"], raw["offset"], _instant(raw, "timestamp"))


def _bytes(record: dict[str, Any], field: str) -> bytes | None:
    if field not in record:
        return None
    try:
        return from_base64(_text(record, field))
    except ValueError:
        raise UnreadableRecord(field, f"{field} must be base64") from None


def _headers(record: dict[str, Any]) -> tuple[tuple[str, bytes], ...]:
    try:
        return tuple([(str(name), from_base64(raw)) for name, raw in record.get("headers", [])])
    except (TypeError, ValueError):
        raise UnreadableRecord("headers", "headers must be a list of [name, base64] pairs") from None
