"""A request in normal form inside a delivery record.

A field that has its default (in brackets) is left out. The defaults belong to the format: they stay when the
core's change.

    u  url                   m  method [POST]         h  headers: [[name, value]] [none]
    x  body as text [none]   z  body in base64 [none]
    k  timeout in ms         sc success codes [none]  ex expires at, epoch ms [none]
    pr priority [5]          rk rate key [none]       sg sign [false]
    md metadata: [[name, value]] [none]               tp traceparent [none]
    po named policy [none]
    r  retry: [intervals in ms, [initial in ms, multiplier, max in ms, jitter], attempts, retry codes,
       fatal codes], each of them or null
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from streamer.core.codes import Codes, parse_codes
from streamer.core.request import METHODS, Backoff, Request, RetryPolicy
from streamer.wire.body_text import body_text, from_base64, to_base64
from streamer.wire.delivery_fields import DeliveryFields
from streamer.wire.unreadable import UnreadableRecord

_METHOD, _PRIORITY = "POST", 5
_METHODS = frozenset(METHODS)
_WAIT = range(1 << 53)
_LONGEST_KNOWN = 16 * 1024
RETRY_FORM = "r must be [intervals, backoff, attempts, retry codes, fatal codes], each of them or null"


def put_request(record: dict[str, Any], request: Request) -> None:
    """Add the request's fields to a record."""
    record["u"] = request.url
    record["k"] = request.timeout_ms
    record["r"] = _policy_text(request.retry)
    if request.method != _METHOD:
        record["m"] = request.method
    if request.headers:
        record["h"] = request.headers
    if request.body:
        text = body_text(request.body)
        if text is None:
            record["z"] = to_base64(request.body)
        else:
            record["x"] = text
    if request.success_codes is not None:
        record["sc"] = request.success_codes.text
    if request.expires_at_ms is not None:
        record["ex"] = request.expires_at_ms
    if request.priority != _PRIORITY:
        record["pr"] = request.priority
    if request.rate_key is not None:
        record["rk"] = request.rate_key
    if request.sign:
        record["sg"] = True
    if request.metadata:
        record["md"] = request.metadata
    if request.traceparent is not None:
        record["tp"] = request.traceparent
    if request.policy is not None:
        record["po"] = request.policy


def take_request(found: DeliveryFields) -> Request:
    """Return the request among the fields of a delivery; UnreadableRecord for what types and ranges do not tell."""
    method = found.method
    if method not in _METHODS:
        raise UnreadableRecord("m", f"m must be one of {', '.join(METHODS)}")
    return Request(
        found.url,
        method,
        found.headers,
        _body(found.text, found.encoded),
        found.timeout_ms,
        _retry(bytes(found.retry)),
        _codes("sc", found.success_codes),
        found.expires_at_ms,
        found.priority,
        found.rate_key,
        found.sign,
        found.metadata,
        found.traceparent,
        found.policy,
    )


def _body(text: str | None, encoded: str | None) -> bytes:
    if encoded is None:
        return text.encode() if text else b""
    if text is not None:
        raise UnreadableRecord("z", "x and z are both given; a body is text or base64")
    try:
        return from_base64(encoded)
    except ValueError as error:
        raise UnreadableRecord("z", f"z must be base64: {error}") from None


def _codes(field: str, items: tuple[str, ...] | None) -> Codes | None:
    if items is None:
        return None
    try:
        return _code_set(items)
    except ValueError as error:
        raise UnreadableRecord(field, f"{field}: {error}") from None


# Tasks share a handful of policies and code sets: equal ones become one object, read once.
_code_set = lru_cache(maxsize=1024)(parse_codes)


@lru_cache(maxsize=1024)
def _policy_text(policy: RetryPolicy) -> orjson.Fragment:
    growth = policy.backoff and (
        policy.backoff.initial_ms,
        policy.backoff.multiplier,
        policy.backoff.max_ms,
        policy.backoff.jitter,
    )
    codes = [codes and codes.text for codes in (policy.retry_codes, policy.fatal_codes)]
    return orjson.Fragment(orjson.dumps((policy.intervals_ms, growth, policy.max_attempts, *codes)))


def _retry(text: bytes) -> RetryPolicy:
    return _known_policy(text) if len(text) <= _LONGEST_KNOWN else _policy(text)


def _policy(text: bytes) -> RetryPolicy:
    raw = orjson.loads(text)
    if type(raw) is not list or len(raw) != 5:
        raise UnreadableRecord("r", RETRY_FORM)
    intervals, growth, attempts, retry_codes, fatal_codes = raw
    if (intervals is None) is (growth is None):
        raise UnreadableRecord("r", "r must have intervals or a backoff, and not both")
    if attempts is not None and (type(attempts) is not int or not 1 <= attempts < 1 << 31):
        raise UnreadableRecord("r", RETRY_FORM)
    return RetryPolicy(
        intervals_ms=None if intervals is None else _intervals(intervals),
        backoff=None if growth is None else _backoff(growth),
        max_attempts=attempts,
        retry_codes=_policy_codes(retry_codes),
        fatal_codes=_policy_codes(fatal_codes),
    )


# Equal ones become one object here too. A text of a record's size would stay in memory for nothing.
_known_policy = lru_cache(maxsize=1024)(_policy)


def _policy_codes(raw: Any) -> Codes | None:
    if raw is None:
        return None
    if type(raw) is not list or not all(type(item) is str for item in raw):
        raise UnreadableRecord("r", "r must be a list of status codes as text")
    return _codes("r", tuple(raw))


def _intervals(raw: Any) -> tuple[int, ...]:
    if type(raw) is not list or not all(type(item) is int and item in _WAIT for item in raw):
        raise UnreadableRecord("r", "r: intervals must be a list of whole ms")
    return tuple(raw)


def _backoff(raw: Any) -> Backoff:
    good = type(raw) is list and len(raw) == 4 and all(type(item) in (int, float) and item >= 0 for item in raw)
    if not good or type(raw[0]) is not int or type(raw[2]) is not int or raw[2] not in _WAIT:
        raise UnreadableRecord("r", "r: backoff must be [initial in ms, multiplier, max in ms, jitter]")
    return Backoff(*raw)
