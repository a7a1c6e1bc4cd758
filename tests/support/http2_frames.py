"""Frames of HTTP/2, byte by byte, as no library would make them."""

from __future__ import annotations

import asyncio
from enum import IntEnum

from hpack import Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
_HEAD_BYTES = 9


class Kind(IntEnum):
    """What a frame is (RFC 9113 §6)."""

    DATA = 0x0
    HEADERS = 0x1
    PRIORITY = 0x2
    RST_STREAM = 0x3
    SETTINGS = 0x4
    PUSH_PROMISE = 0x5
    PING = 0x6
    GOAWAY = 0x7
    WINDOW_UPDATE = 0x8
    CONTINUATION = 0x9


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a frame, whose length may be a lie."""
    said = len(payload) if length is None else length
    return said.to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def block(*headers: tuple[str, str]) -> bytes:
    """Return a header block that needs nothing of earlier ones."""
    encoded = Encoder().encode(headers)
    assert isinstance(encoded, bytes)
    return encoded


def head(stream: int, *headers: tuple[str, str], status: str = "200", flags: int = END_HEADERS) -> bytes:
    """Return the head of an answer."""
    return frame(Kind.HEADERS, flags, stream, block((":status", status), *headers))


def data(stream: int, body: bytes, flags: int = 0) -> bytes:
    """Return a piece of an answer's body."""
    return frame(Kind.DATA, flags, stream, body)


def reset(stream: int, code: int) -> bytes:
    """Return the end of a stream, with its reason."""
    return frame(Kind.RST_STREAM, 0, stream, code.to_bytes(4))


def go_away(last_stream: int, code: int = 0) -> bytes:
    """Return the end of a connection: which stream was still dealt with, and the reason."""
    return frame(Kind.GOAWAY, 0, 0, last_stream.to_bytes(4) + code.to_bytes(4))


def settings(*pairs: tuple[int, int]) -> bytes:
    """Return settings, by their numbers."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(key.to_bytes(2) + value.to_bytes(4) for key, value in pairs))


async def next_request(reader: asyncio.StreamReader) -> int:
    """Return the stream on which a request begins; what else comes is passed over."""
    while True:
        raw = await reader.readexactly(_HEAD_BYTES)
        await reader.readexactly(int.from_bytes(raw[:3]))
        if raw[3] == Kind.HEADERS:
            return int.from_bytes(raw[5:9])
