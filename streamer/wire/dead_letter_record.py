"""Dead letters as ``dead-letter`` carries them: JSON, version 1, of two kinds.

``task``: a task we stopped trying, whole (``delivery``, in its internal form), with reason and last result.
``record``: a record that no task could be made of, with its bytes, key and header values in base64; cut where that would
not fit the topic, with the size and hash of what came.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from streamer.core.delivery import Delivery, Origin
from streamer.core.emit import DeadLetterOf, UnreadableOf
from streamer.wire.body_text import from_base64, to_base64
from streamer.wire.delivery_record import delivery_of, encode_delivery
from streamer.wire.instants import format_instant, parse_instant
from streamer.wire.masking import USUAL, Masking
from streamer.wire.raw_cut import cut_key_and_headers, raw_bytes
from streamer.wire.result_record import MOST_WORDS, dump, encode_result, origin_record
from streamer.wire.sealed import Sealer
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1
KINDS = ("task", "record")
MOST_BYTES = 4 * 1024 * 1024
"""The most that a letter may take where nobody says otherwise."""
#: What a cut record says of itself.
_CUT_BYTES = 256


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as read: a ``task`` has ``delivery`` and ``result``, a ``record`` what came, be it cut."""

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
    truncated: bool = False


def encode_dead_letter(
    letter: DeadLetterOf | UnreadableOf,
    most_bytes: int = MOST_BYTES,
    masking: Masking = USUAL,
    sealer: Sealer | None = None,
) -> bytes:
    """Return a dead letter as the record's value; a record is cut to ``most_bytes``, a task is bounded by its parts."""
    return _of_task(letter, masking, sealer) if isinstance(letter, DeadLetterOf) else _of_record(letter, most_bytes)


def decode_dead_letter(value: bytes | None, sealer: Sealer | None = None) -> DeadLetter:
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
            truncated=record.get("truncated") is True,
        )
    return _task(record, reason, at_ms, origin, sealer)


def _of_task(letter: DeadLetterOf, masking: Masking, sealer: Sealer | None) -> bytes:
    delivery = letter.delivery
    return dump(
        {
            "v": VERSION,
            "kind": "task",
            "task_id": delivery.task_id,
            "business": delivery.business,
            "lane": delivery.lane,
            "method": delivery.request.method,
            "url": masking.shown_url(delivery.request.url),
            "reason": letter.reason,
            "at": format_instant(letter.at_ms),
            "origin": origin_record(delivery.origin),
            "result": orjson.Fragment(encode_result(letter.last, masking)),
            "delivery": orjson.Fragment(encode_delivery(delivery, sealer)),
        }
    )


def _of_record(letter: UnreadableOf, most_bytes: int) -> bytes:
    kept = cut_key_and_headers(letter.key, letter.headers, most_bytes)
    record: dict[str, Any] = {
        "v": VERSION,
        "kind": "record",
        "reason": letter.reason[:MOST_WORDS],
        "at": format_instant(letter.at_ms),
        "origin": origin_record(Origin(letter.topic, letter.partition, letter.offset, letter.timestamp_ms)),
    }
    if letter.field is not None:
        record["field"] = letter.field
    if kept.key is not None:
        record["key_base64"] = to_base64(kept.key)
    if letter.value is not None:
        record["value_base64"] = ""
    if kept.headers:
        record["headers"] = [(name, to_base64(raw or b"")) for name, raw in kept.headers]
    value, cut = letter.value, kept.cut
    if value is not None:
        most_value = raw_bytes(most_bytes - len(dump(record)) - _CUT_BYTES)
        cut = cut or len(value) > most_value
        record["value_base64"] = to_base64(value[:most_value])
    if cut:
        record["truncated"] = True
        if value is not None:
            record["value_bytes"] = len(value)
            record["value_hash"] = "sha256:" + sha256(value).hexdigest()
    return dump(record)


def _task(record: dict[str, Any], reason: str, at_ms: int, origin: Origin, sealer: Sealer | None) -> DeadLetter:
    try:
        delivery = delivery_of(record.get("delivery"), sealer)
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
