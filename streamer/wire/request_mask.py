"""Requests as their producers wrote them, for people's eyes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from streamer.wire.masking import Masking


def masked_request(request: Mapping[str, Any], masking: Masking) -> dict[str, Any]:
    """Return a request's fields, secret header values and URL parameters masked, however wrong their types are."""
    shown = dict(request)
    if isinstance(url := request.get("url"), str):
        shown["url"] = masking.shown_url(url)
    headers = request.get("headers")
    if isinstance(headers, dict):
        shown["headers"] = {name: _value(name, value, masking) for name, value in headers.items()}
    elif isinstance(headers, list):
        shown["headers"] = [_pair(pair, masking) for pair in headers]
    return shown


def masked_record(value: bytes, masking: Masking) -> bytes:
    """Return a record of a request, be it in a CloudEvents envelope, masked; bytes that are no JSON object as they are."""
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    if not isinstance(record, dict):
        return value
    shown = masked_request(record, masking)
    if isinstance(data := record.get("data"), dict):
        shown["data"] = masked_request(data, masking)
    try:
        return value if shown == record else orjson.dumps(shown)
    except TypeError:
        return b"(nested too deeply to be shown masked)"


def _pair(pair: Any, masking: Masking) -> Any:
    if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
        return [pair[0], _value(pair[0], pair[1], masking)]
    return pair


def _value(name: str, value: Any, masking: Masking) -> Any:
    return masking.shown_headers([(name, value)])[0][1] if isinstance(value, str) else value
