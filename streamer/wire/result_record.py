"""A result as ``results`` carries it, for people and programs: JSON, version 1, keyed by task id.

A field that does not apply is left out. A body is text where it can be (``body``), else ``body_base64``. Whatever comes
from a peer is bounded here, so that a result fits its topic and a dead letter that holds it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import orjson

from streamer.core.delivery import Origin, trace_of
from streamer.core.emit import Because, ResultOf
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Response
from streamer.core.request import Request
from streamer.wire.body_text import body_text, to_base64
from streamer.wire.header_cut import KEPT_HEADER_BYTES, cut_headers
from streamer.wire.header_names import TRACEPARENT
from streamer.wire.header_names import VERSION as VERSION_HEADER
from streamer.wire.instants import format_instant
from streamer.wire.masking import MASK, USUAL, Masking
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1
#: The most of a peer's or the client's own words.
MOST_WORDS = 8_192
#: To so many bytes masks may lengthen a body; beyond they may not.
_ROOM_FOR_MASKS = 128 * 1024
_WORDS = {state: state.word for state in State}
_VERSION_HEADER = (VERSION_HEADER, b"%d" % VERSION)


def encode_result(result: ResultOf, masking: Masking = USUAL) -> bytes:
    """Return the result as the record's value."""
    record: dict[str, Any] = {
        "v": VERSION,
        "event_id": result.event_id,
        "task_id": result.task_id,
        "business": result.business,
        "generation": result.generation,
        "attempt": result.attempt,
        "outcome": result.outcome,
        "final": result.final,
        "at": format_instant(result.at_ms),
        "why": _why(result.because, masking),
    }
    if result.state is not None:
        record["state"] = _WORDS[result.state]
    if result.business_id is not None:
        record["business_id"] = result.business_id
    if result.error_type is not None:
        record["error_type"] = result.error_type
    if result.command_id is not None:
        record["command_id"] = result.command_id
    origin = result.origin
    if (delivery := result.delivery) is not None:
        record["lane"] = delivery.lane
        if delivery.shard:
            record["shard"] = delivery.shard
        origin = origin or delivery.origin
        if delivery.request.metadata:
            record["metadata"] = dict(delivery.request.metadata)
    if origin is not None:
        record["origin"] = origin_record(origin)
    if (exchange := result.exchange) is not None:
        _put_exchange(record, exchange, masking)
        if delivery is not None:
            record["request"] = _request(delivery.request, exchange, masking)
    return dump(record)


def result_headers(result: ResultOf) -> list[tuple[str, bytes]]:
    """Return the Kafka headers of a result."""
    if result.delivery is None:
        return [_VERSION_HEADER]
    return [_VERSION_HEADER, (TRACEPARENT, trace_of(result.delivery).encode())]


def decode_result(value: bytes | None) -> dict[str, Any]:
    """Return a result as a mapping of the fields above; UnreadableRecord when it is none of this version."""
    try:
        record = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(None, f"the result is no JSON: {error}") from None
    if type(record) is not dict:
        raise UnreadableRecord(None, "a result must be a JSON object")
    if record.get("v") != VERSION:
        raise UnreadableRecord("v", f"v must be {VERSION}; another release of Streamer may have written this result")
    for field in ("event_id", "task_id", "outcome", "at"):
        if type(record.get(field)) is not str:
            raise UnreadableRecord(field, f"{field} must be text")
    return record


def dump(record: dict[str, Any]) -> bytes:
    """Return a record as JSON, whatever texts a peer has sent."""
    try:
        return orjson.dumps(record)
    except TypeError:
        # A lone surrogate, from a peer's header or message: the result must be written all the same.
        return orjson.dumps(_printable(record))


def origin_record(origin: Origin) -> dict[str, Any]:
    """Return coordinates as records for people have them."""
    return {
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "timestamp": format_instant(origin.timestamp_ms),
    }


def _why(because: Because, masking: Masking) -> dict[str, Any]:
    why: dict[str, Any] = {"rule": because.rule, "decided_by": because.decided_by}
    if because.reason is not None:
        why["reason"] = because.reason
    if because.tier is not None:
        why["tier"] = because.tier
    if because.due_at_ms is not None:
        why["due_at"] = format_instant(because.due_at_ms)
    if because.detail is not None:
        # A URL that a redirect led to, or that the client complained of.
        why["detail"] = masking.shown_url(because.detail[:MOST_WORDS])
    return why


def _put_exchange(record: dict[str, Any], exchange: Exchange, masking: Masking) -> None:
    record["started_at"] = format_instant(exchange.started_at_ms)
    record["duration_ms"] = round(exchange.duration_ms, 3)
    if exchange.address is not None:
        record["address"] = exchange.address
    if not exchange.tls_verified:
        record["tls_verified"] = False
    end = exchange.end
    if not isinstance(end, Response):
        record["error"] = masking.shown_url(end.message[:MOST_WORDS])
        return
    record["status"] = end.status
    _put_headers(record, end.headers, masking)
    record["body_bytes"] = end.body_bytes
    record["truncated"] = end.truncated
    if end.unpacked is not None:
        record["unpacked"] = end.unpacked
    if end.http_version:
        record["http_version"] = end.http_version
    _put_body(record, end.body, masking)


def _put_body(record: dict[str, Any], body: bytes, masking: Masking) -> None:
    shown = masking.shown_body(body)
    # A mask may be longer than what it hides, and a peer may send a body of nothing but what is hidden.
    if shown is not body and len(shown) > (most := max(len(body), _ROOM_FOR_MASKS)):
        shown = shown[:most]
        record["truncated"] = True
    text = body_text(shown)
    if text is None:
        record["body_base64"] = to_base64(shown)
    else:
        record["body"] = text
    if shown:
        # Of what is shown: a hash of what is hidden would let it be guessed.
        record["body_hash"] = _hash(shown)


def _put_headers(record: dict[str, Any], headers: Sequence[tuple[str, str]], masking: Masking) -> None:
    if masking.shows_all(headers) and (written := _small(headers)) is not None:
        record["headers"] = written
        return
    kept, cut = cut_headers(headers)
    record["headers"] = masking.shown_headers(kept)
    if cut:
        record["headers_truncated"] = True


def _small(headers: Sequence[tuple[str, str]]) -> orjson.Fragment | None:
    """Return headers of which nothing needs to be cut, written; None where that is to be looked at."""
    try:
        written = orjson.dumps(headers)
    except TypeError:
        return None
    # In JSON none is shorter than as cut_headers counts it.
    return orjson.Fragment(written) if len(written) <= KEPT_HEADER_BYTES else None


def _request(request: Request, exchange: Exchange, masking: Masking) -> dict[str, Any]:
    record: dict[str, Any] = {"method": request.method, "url": masking.shown_url(request.url)}
    headers = exchange.sent_headers or request.headers
    if masking.own_headers:
        own = {name for name, _ in request.headers}
        headers = tuple([(name, MASK if name in own else value) for name, value in headers])
    _put_headers(record, headers, masking)
    record["body_bytes"] = len(request.body)
    record["body_hash"] = _hash(request.body)
    return record


def _hash(body: bytes) -> str:
    return "sha256:" + sha256(body).hexdigest()


def _printable(item: Any) -> Any:
    if isinstance(item, str):
        return item.encode("utf-8", "replace").decode()
    if isinstance(item, dict):
        return {_printable(name): _printable(value) for name, value in item.items()}
    if isinstance(item, list | tuple):
        return [_printable(value) for value in item]
    return item
