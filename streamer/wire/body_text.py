"""Bodies inside JSON records: as text where that is possible and no longer than base64, else as base64."""

from __future__ import annotations

import binascii
import re

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SHORT = 1024


def body_text(body: bytes) -> str | None:
    """Return the body as text, or None when it must be written in base64.

    A control character takes six bytes in JSON and a quote two: as text, 1 MiB of them would outgrow the
    limit of a record that base64 keeps to 4/3.
    """
    if _CONTROL.search(body[:_SHORT]):
        return None
    if len(body) > _SHORT and 3 * _escaped(body) > len(body):
        return None
    if _CONTROL.search(body):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


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
