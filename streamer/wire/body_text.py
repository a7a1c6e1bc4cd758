"""Bodies inside JSON records: as text where that is possible and no longer than base64, else as base64."""

from __future__ import annotations

import binascii

#: Control characters but tab, line feed and carriage return.
_CONTROL = bytes([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20)])
_SHORT = 1024


def body_text(body: bytes) -> str | None:
    """Return the body as text, or None when it must be written in base64.

    A control character takes six bytes in JSON and a quote two: as text, 1 MiB of them would outgrow the
    limit of a record that base64 keeps to 4/3.
    """
    if _has_control(body[:_SHORT]):
        return None
    if len(body) > _SHORT and (3 * _escaped(body) > len(body) or _has_control(body)):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _has_control(body: bytes) -> bool:
    # A search by an expression takes six times as long.
    return len(body.translate(None, _CONTROL)) != len(body)


def _escaped(body: bytes) -> int:
    return sum(map(body.count, (b'"', b"\\", b"\n", b"\r", b"\t")))


def to_base64(data: bytes) -> str:
    """Return the bytes in base64, in one line."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def from_base64(text: str) -> bytes:
    """Return the bytes; ValueError unless it is strict base64, padding and all."""
    if len(text) % 4:
        raise ValueError("its length is no multiple of 4")
    return binascii.a2b_base64(text, strict_mode=True)
