"""The body of a request record, from whichever of its body fields is given, and its content type."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import orjson
from msgspec import Struct

from streamer.wire.body_text import from_base64
from streamer.wire.limits import Limits
from streamer.wire.multipart import Part, encode_multipart
from streamer.wire.request_model import PartRecord, RequestRecord
from streamer.wire.unreadable import UnreadableRecord

_DIGITS = re.compile(rb"[0-9]{19,}(?![0-9.eE])")
_LARGEST = b"%d" % (2**63 - 1)
#: Makes each digit a zero, so that many in a row are found without an expression, which takes ten times as long.
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_MANY_ZEROS = b"0" * 19
_NESTING = 250

BODY_FIELDS = ("body", "json", "form", "body_base64", "multipart")
_TEXT, _JSON, _BYTES = "text/plain; charset=utf-8", "application/json", "application/octet-stream"
#: What XML says of itself; of other text nothing can be told. The charset is ours, since we write the bytes (RFC 7303 §3).
_XML_BEGINS, _XML = "<?xml", "application/xml; charset=utf-8"


class Body(Struct, frozen=True, gc=False):
    """The bytes, and the content type that goes with them where the request names none; None without a body.

    ``framed`` is True where the content type tells how the bytes were put together, so that no default may replace it.
    """

    content: bytes = b""
    content_type: str | None = None
    framed: bool = False


NO_BODY = Body()


def read_body(record: RequestRecord, value: bytes, limits: Limits) -> Body:
    """Return the body; ``value`` is the record as it came, to find numbers that JSON readers would round."""
    contents = (record.body, record.json_body, record.form, record.body_base64, record.multipart)
    given = len(contents) - contents.count(None)
    if not given:
        return NO_BODY
    if given > 1:
        first, second, *_ = _named(contents)
        allowed = ", ".join(BODY_FIELDS)
        raise UnreadableRecord(second, f"{second} and {first} are both given; one of {allowed} is allowed")
    body = _read(record, value)
    if len(body.content) > limits.body_bytes:
        (field,) = _named(contents)
        raise UnreadableRecord(field, f"{field} is {len(body.content)} bytes; at most {limits.body_bytes} are allowed")
    return body


def _named(contents: tuple[Any, ...]) -> list[str]:
    return [field for field, content in zip(BODY_FIELDS, contents, strict=True) if content is not None]


def _read(record: RequestRecord, value: bytes) -> Body:
    if record.json_body is not None:
        return Body(_json("json", record.json_body, value), _JSON)
    if record.body is not None:
        return Body(record.body.encode(), _XML if record.body.startswith(_XML_BEGINS) else _TEXT)
    if record.form is not None:
        return Body(urlencode(record.form, doseq=True).encode(), "application/x-www-form-urlencoded", True)
    if record.multipart is not None:
        return Body(*encode_multipart([_part(part, value) for part in record.multipart]), True)
    return Body(_base64("body_base64", record.body_base64 or ""), _BYTES)


def _part(record: PartRecord, value: bytes) -> Part:
    for field, text in (("name", record.name), ("filename", record.filename)):
        if text is not None and not _fits_a_header(text):
            raise UnreadableRecord(f"multipart.{field}", f"multipart.{field} must not have control characters")
    given = [record.body is not None, record.body_base64 is not None, record.json_body is not None]
    if sum(given) != 1:
        raise UnreadableRecord(
            "multipart", f"multipart: the part {record.name[:60]!a} must have one of body, body_base64, json"
        )
    content_type: str | None
    if record.json_body is not None:
        content, content_type = _json("multipart.json", record.json_body, value), _JSON
    elif record.body_base64 is not None:
        content, content_type = _base64("multipart.body_base64", record.body_base64), _BYTES
    else:
        # A field of a form has no type of its own, or receivers take it for a file (RFC 7578 §4.4).
        content, content_type = (record.body or "").encode(), _TEXT if record.filename is not None else None
    return Part(record.name, content, record.filename, record.content_type or content_type)


def _fits_a_header(text: str) -> bool:
    return not any(character < " " or character == "\x7f" for character in text)


def _json(field: str, content: Any, value: bytes) -> bytes:
    if _has_long_number(value) and _has_huge_float(content):
        # The reader has made a float of it; sent on, it would be another number than the caller wrote.
        raise UnreadableRecord(
            field, f"{field} has a number of more than 64 bits; write it as text, or send the JSON as body"
        )
    try:
        return orjson.dumps(content)
    except TypeError:
        raise UnreadableRecord(
            field, f"{field} is nested deeper than {_NESTING} levels; send the JSON as body"
        ) from None


def _has_long_number(value: bytes) -> bool:
    if _MANY_ZEROS not in value.translate(_AS_ZEROS):
        return False
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


def _base64(field: str, text: str) -> bytes:
    try:
        return from_base64(text)
    except ValueError:
        raise UnreadableRecord(field, f"{field} must be base64 (RFC 4648 §4, with padding)") from None
