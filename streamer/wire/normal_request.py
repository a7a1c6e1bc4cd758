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
from streamer.wire.unreadable import UnreadableRecord

FIELDS: dict[str, type] = {
    **dict.fromkeys(("u", "m", "x", "z", "rk", "tp", "po"), str),
    **dict.fromkeys(("h", "r", "sc", "md"), list),
    **dict.fromkeys(("k", "ex", "pr"), int),
    "sg": bool,
}
RANGES = {"k": range(1, 1 << 31), "ex": range(1 << 53), "pr": range(1, 11)}

_METHOD, _PRIORITY = "POST", 5
_METHODS = frozenset(METHODS)
_WAIT = range(1 << 53)
_RETRY = "r must be [intervals, backoff, attempts, retry codes, fatal codes], each of them or null"


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


def take_request(record: dict[str, Any]) -> Request:
    """Return the request of a record whose fields have the types of FIELDS; KeyError when one is missing."""
    get = record.get
    method = get("m", _METHOD)
    if method not in _METHODS:
        raise UnreadableRecord("m", f"m must be one of {', '.join(METHODS)}")
    return Request(
        record["u"],
        method,
        _pairs("h", record["h"]) if "h" in record else (),
        _body(get("x"), get("z")),
        record["k"],
        _retry(record["r"]),
        _codes("sc", record["sc"]) if "sc" in record else None,
        get("ex"),
        get("pr", _PRIORITY),
        get("rk"),
        get("sg", False),
        _pairs("md", record["md"]) if "md" in record else (),
        get("tp"),
        get("po"),
    )


def _pairs(field: str, raw: list[Any]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for pair in raw:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str or type(pair[1]) is not str:
            raise UnreadableRecord(field, f"{field} must be a list of [name, value] pairs of text")
        pairs.append((pair[0], pair[1]))
    return tuple(pairs)


def _body(text: str | None, encoded: str | None) -> bytes:
    if encoded is None:
        return text.encode() if text else b""
    if text is not None:
        raise UnreadableRecord("z", "x and z are both given; a body is text or base64")
    try:
        return from_base64(encoded)
    except ValueError as error:
        raise UnreadableRecord("z", f"z must be base64: {error}") from None


def _codes(field: str, raw: Any) -> Codes:
    if type(raw) is not list or not all(type(item) is str for item in raw):
        raise UnreadableRecord(field, f"{field} must be a list of status codes as text")
    try:
        return _code_set(tuple(raw))
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


def _retry(raw: list[Any]) -> RetryPolicy:
    try:
        return _policy(orjson.dumps(raw))
    except TypeError:  # Nested too deeply to be written again.
        raise UnreadableRecord("r", _RETRY) from None


@lru_cache(maxsize=1024)
def _policy(text: bytes) -> RetryPolicy:
    raw = orjson.loads(text)
    if len(raw) != 5:
        raise UnreadableRecord("r", _RETRY)
    intervals, growth, attempts, retry_codes, fatal_codes = raw
    if (intervals is None) is (growth is None):
        raise UnreadableRecord("r", "r must have intervals or a backoff, and not both")
    if attempts is not None and (type(attempts) is not int or not 1 <= attempts < 1 << 31):
        raise UnreadableRecord("r", _RETRY)
    return RetryPolicy(
        intervals_ms=None if intervals is None else _intervals(intervals),
        backoff=None if growth is None else _backoff(growth),
        max_attempts=attempts,
        retry_codes=None if retry_codes is None else _codes("r", retry_codes),
        fatal_codes=None if fatal_codes is None else _codes("r", fatal_codes),
    )


def _intervals(raw: Any) -> tuple[int, ...]:
    if type(raw) is not list or not all(type(item) is int and item in _WAIT for item in raw):
        raise UnreadableRecord("r", "r: intervals must be a list of whole ms")
    return tuple(raw)


def _backoff(raw: Any) -> Backoff:
    good = type(raw) is list and len(raw) == 4 and all(type(item) in (int, float) and item >= 0 for item in raw)
    if not good or type(raw[0]) is not int or type(raw[2]) is not int or raw[2] not in _WAIT:
        raise UnreadableRecord("r", "r: backoff must be [initial in ms, multiplier, max in ms, jitter]")
    return Backoff(*raw)
