"""The body of a request record, from whichever of the four body fields is given, and its content type."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import orjson

from streamer.wire.body_text import from_base64
from streamer.wire.limits import Limits
from streamer.wire.request_model import RequestRecord
from streamer.wire.unreadable import UnreadableRecord

_DIGITS = re.compile(rb"[0-9]{19,}(?![0-9.eE])")
_LARGEST = b"%d" % (2**63 - 1)
_NESTING = 250


def read_body(record: RequestRecord, value: bytes, limits: Limits) -> tuple[bytes, str | None]:
    """Return the body's bytes and its default content type; no bytes and None when there is no body.

    ``value`` is the record as it came, to find numbers that JSON readers would round.
    """
    body, content_type = b"", None
    given = [
        field
        for field, content in (
            ("body", record.body),
            ("json", record.json_body),
            ("form", record.form),
            ("body_base64", record.body_base64),
        )
        if content is not None
    ]
    if len(given) > 1:
        raise UnreadableRecord(
            given[1],
            f"{given[1]} and {given[0]} are both given; one of body, json, form, body_base64 is allowed",
        )
    if record.json_body is not None:
        body, content_type = _json(record.json_body, value), "application/json"
    elif record.body is not None:
        body, content_type = record.body.encode(), "text/plain; charset=utf-8"
    elif record.form is not None:
        body, content_type = urlencode(record.form, doseq=True).encode(), "application/x-www-form-urlencoded"
    elif record.body_base64 is not None:
        body, content_type = _base64(record.body_base64), "application/octet-stream"
    if len(body) > limits.body_bytes:
        raise UnreadableRecord(given[0], f"{given[0]} is {len(body)} bytes; at most {limits.body_bytes} are allowed")
    return body, content_type


def _json(content: Any, value: bytes) -> bytes:
    if _has_long_number(value) and _has_huge_float(content):
        # The reader has made a float of it; sent on, it would be another number than the caller wrote.
        raise UnreadableRecord(
            "json", "json has a number of more than 64 bits; write it as text, or send the JSON as body"
        )
    try:
        return orjson.dumps(content)
    except TypeError:
        raise UnreadableRecord("json", f"json is nested deeper than {_NESTING} levels; send the JSON as body") from None


def _has_long_number(value: bytes) -> bool:
    return any(len(digits) > len(_LARGEST) or digits > _LARGEST for digits in _DIGITS.findall(value))


def _has_huge_float(content: Any) -> bool:
    waiting = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float) and abs(item) >= 2**63:
            return True
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False


def _base64(text: str) -> bytes:
    try:
        return from_base64(text)
    except ValueError:
        raise UnreadableRecord("body_base64", "body_base64 must be base64 (RFC 4648 §4, with padding)") from None
