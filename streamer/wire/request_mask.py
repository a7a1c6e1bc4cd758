"""Requests as their producers wrote them, for people's eyes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from streamer.wire.body_text import from_base64, to_base64
from streamer.wire.masking import MASK, Masking

#: The fields of a request, or of a part, that hold what is sent: as they are, as JSON, or in base64.
_TEXT, _CONTENTS, _BASE64 = "body", ("json", "form"), "body_base64"


def masked_request(request: Mapping[str, Any], masking: Masking) -> dict[str, Any]:
    """Return a request's fields, secret header values, URL parameters and fields masked, however wrong their types are."""
    shown = dict(request)
    if isinstance(url := request.get("url"), str):
        shown["url"] = masking.shown_url(url)
    headers = request.get("headers")
    if isinstance(headers, dict):
        shown["headers"] = {name: _value(name, value, masking) for name, value in headers.items()}
    elif isinstance(headers, list):
        shown["headers"] = [_pair(pair, masking) for pair in headers]
    if masking.fields:
        shown |= _bodies(request, masking)
        if isinstance(parts := request.get("multipart"), list):
            shown["multipart"] = [_part(part, masking) for part in parts]
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


def _bodies(record: Mapping[str, Any], masking: Masking) -> dict[str, Any]:
    """Return those fields of a request or a part that hold what is sent, masked."""
    shown: dict[str, Any] = {}
    if isinstance(text := record.get(_TEXT), str):
        shown[_TEXT] = masking.shown_body(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
    if isinstance(text := record.get(_BASE64), str):
        try:
            shown[_BASE64] = to_base64(masking.shown_body(from_base64(text)))
        except ValueError:
            shown[_BASE64] = MASK
    for name in _CONTENTS:
        if name in record:
            shown[name] = _content(record[name], masking)
    return shown


def _part(part: Any, masking: Masking) -> Any:
    if not isinstance(part, dict):
        return part
    name = part.get("name")
    if isinstance(name, str) and name.lower() in masking.fields:
        return {field: MASK if field in (_TEXT, _BASE64, *_CONTENTS) else value for field, value in part.items()}
    return {**part, **_bodies(part, masking)}


def _content(content: Any, masking: Masking) -> Any:
    try:
        return orjson.loads(masking.shown_body(orjson.dumps(content)))
    except (TypeError, orjson.JSONDecodeError):
        # Nested too deeply to be looked through.
        return MASK


def _pair(pair: Any, masking: Masking) -> Any:
    if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
        return [pair[0], _value(pair[0], pair[1], masking)]
    return pair


def _value(name: str, value: Any, masking: Masking) -> Any:
    return masking.shown_headers([(name, value)])[0][1] if isinstance(value, str) else value
