"""Reads a record of ``requests``: any bytes become a task to be, or a refusal that names the field."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from streamer.core.lane_key import lane_key
from streamer.core.policy_book import NOTHING_FILLED, PolicyBook
from streamer.core.reading import Accepted, Refused
from streamer.core.request import Request
from streamer.wire.header_rules import check_headers, with_missing
from streamer.wire.instants import parse_instant
from streamer.wire.limits import Limits
from streamer.wire.request_body import Body, read_body
from streamer.wire.request_error import NAMES, refusal, unknown_field
from streamer.wire.request_model import MAX_URL_BYTES, RequestRecord
from streamer.wire.request_policy import filled_retry, read_codes, read_policy, read_wait
from streamer.wire.secret_rules import check_secrets
from streamer.wire.trace_context import KafkaHeaders, Pairs, trace_of_record
from streamer.wire.unreadable import UnreadableRecord

_SHOWN_POLICIES = 5
_CONTENT_TYPE = "content-type"
# The model's compiled validator: the classmethod around it costs half a microsecond a record.
_validate = RequestRecord.__pydantic_validator__.validate_python


def read_request(
    value: bytes | None, headers: KafkaHeaders, limits: Limits, now_ms: int, book: PolicyBook | None = None
) -> Accepted | Refused:
    """Read one record, raising nothing; ``now_ms`` is what the horizon of ``send_at`` counts from.

    What the record leaves out is filled in from the book, then from the limits. Without a book the name of a policy is taken
    as it is. A CloudEvents 1.0 envelope is understood: in structured mode ``data`` is the request; in binary mode the
    value is, and the ``ce_`` headers say nothing to us.
    """
    if not value:
        return Refused(None, "the record has no value; a request is a JSON object with a url")
    if len(value) > limits.record_bytes:
        return Refused(None, f"the record is {len(value)} bytes; at most {limits.record_bytes} are allowed")
    try:
        data = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return Refused(None, f"the record is no JSON: {error}")
    if isinstance(data, dict) and "specversion" in data:
        data = data.get("data") if data["specversion"] == "1.0" else None
        if not isinstance(data, dict):
            return Refused(
                "data", "a CloudEvents envelope must have specversion 1.0 and the request, an object, as data"
            )
    if not isinstance(data, dict):
        return Refused(None, "the record must be a JSON object with a url")
    if len(data) > len(NAMES) and (unknown := unknown_field(data)):
        return unknown
    try:
        return _accept(_validate(data), value, headers, limits, now_ms, book)
    except ValidationError as error:
        return refusal(error)
    except UnreadableRecord as error:
        return Refused(error.field, error.reason)


def _accept(
    record: RequestRecord,
    value: bytes,
    kafka: KafkaHeaders,
    limits: Limits,
    now_ms: int,
    book: PolicyBook | None,
) -> Accepted:
    if record.business_id is not None:
        _check_business_id(record)
    if record.policy is not None and book is not None and not book.has_policy(record.policy):
        raise UnreadableRecord("policy", _unknown_policy(record.policy, book))
    business, lane = record.business or limits.business, _lane(record.url)
    fill = NOTHING_FILLED if book is None else book.fill(lane, business, record.policy)
    body = read_body(record, value, limits)
    traceparent, headers = trace_of_record(kafka, _headers(record, body, fill.headers))
    check_secrets(record.url, headers)
    usual = limits.retry if fill is NOTHING_FILLED else filled_retry(fill, limits)
    request = Request(
        record.url,
        record.method or "POST",
        headers,
        body.content,
        _timeout(record.timeout_ms, fill.timeout_ms, limits),
        usual if record.retry is None else read_policy(record.retry, limits, usual),
        read_codes("success_codes", record.success_codes) or fill.success_codes,
        None if record.expires_at is None else _instant("expires_at", record.expires_at),
        record.priority or fill.priority or limits.priority,
        record.rate_key,
        bool(fill.sign if record.sign is None else record.sign),
        tuple(record.metadata.items()) if record.metadata else (),
        traceparent,
        record.policy,
    )
    send_at_ms, delay_ms = None, None
    if record.send_at is not None or record.delay is not None:
        send_at_ms, delay_ms = _due(record, limits, now_ms)
    return Accepted(record.id, business, record.business_id, request, send_at_ms, delay_ms, lane)


def _unknown_policy(name: str, book: PolicyBook) -> str:
    known = sorted(book.policies)
    some = ", ".join(known[:_SHOWN_POLICIES]) + (", ..." if len(known) > _SHOWN_POLICIES else "")
    return f'policy "{name}" is not known; {f"known are {some}" if known else "none is set"}'


def _check_business_id(record: RequestRecord) -> None:
    if record.id is not None:
        raise UnreadableRecord("business_id", "give id or business_id, not both")
    if not (record.business_id or "").isprintable():
        raise UnreadableRecord("business_id", "business_id must be 1 to 255 printable characters")


def _headers(record: RequestRecord, body: Body, filled: Pairs | None) -> Pairs:
    """Return the request's headers, then those that `config` adds, then the body's content type where nobody names one."""
    headers: Pairs = ()
    if record.headers:
        pairs: Any = record.headers.items() if isinstance(record.headers, dict) else map(tuple, record.headers)
        headers = tuple(pairs)
        check_headers(headers)
    if filled:
        headers = _with_filled(headers, body, filled)
    if body.content_type is None:
        return headers
    if any(name.lower() == _CONTENT_TYPE for name, _ in headers):
        if record.multipart is not None:
            raise UnreadableRecord(
                "headers", "headers may not set Content-Type beside multipart: it names the boundary, which is ours"
            )
        return headers
    return (*headers, ("Content-Type", body.content_type))


def _with_filled(headers: Pairs, body: Body, filled: Pairs) -> Pairs:
    if body.content_type is None or body.framed:
        # A default says what usual bodies are. There is none here, or one whose own type must stay with it.
        filled = tuple([pair for pair in filled if pair[0].lower() != _CONTENT_TYPE])
    together = with_missing(headers, filled)
    check_headers(together)
    return together


def _timeout(written_ms: int | None, filled_ms: int | None, limits: Limits) -> int:
    if written_ms is None:
        return limits.timeout_ms if filled_ms is None else filled_ms
    if written_ms > limits.timeout_cap_ms:
        raise UnreadableRecord("timeout_ms", f"timeout_ms is {written_ms}; at most {limits.timeout_cap_ms} is allowed")
    return written_ms


def _due(record: RequestRecord, limits: Limits, now_ms: int) -> tuple[int | None, int | None]:
    delay_ms = None if record.delay is None else read_wait("delay", record.delay, limits)
    if record.send_at is None:
        return None, delay_ms
    if delay_ms is not None:
        raise UnreadableRecord("delay", "give send_at or delay, not both")
    send_at_ms = _instant("send_at", record.send_at)
    if send_at_ms > now_ms + limits.horizon_ms:
        days = limits.horizon_ms // 86_400_000
        raise UnreadableRecord("send_at", f"send_at is more than {days} days away; send_at must be nearer")
    return send_at_ms, None


def _instant(field: str, text: str) -> int:
    try:
        # Before 1970 is as past as 1970, and no record on the way has negative instants.
        return max(0, parse_instant(text))
    except ValueError as error:
        raise UnreadableRecord(field, f"{field} {error}") from None


def _lane(url: str) -> str:
    if not url.isascii() and len(url.encode()) > MAX_URL_BYTES:
        raise UnreadableRecord("url", f"url must be at most {MAX_URL_BYTES} bytes")
    try:
        return lane_key(url)
    except ValueError as error:
        raise UnreadableRecord("url", f"url {error}") from None
