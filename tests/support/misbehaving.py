"""Peers that misbehave in every way that is known of them, each with what a call to it must come to."""

from __future__ import annotations

import asyncio
import gzip
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from tests.support.raw_server import Handle

BOMB_BYTES = 400 * 1024 * 1024
#: What zlib calls a wrapper → the coding that it is in HTTP; deflate is sent without its own by many.
BOMBS = {31: "gzip", 15: "deflate", -15: "deflate"}
#: How long a peer waits between the bytes that it drips.
_DRIP_S = 0.05
_OK = b"HTTP/1.1 200 OK\r\n"
_ZEROS = bytes(1024 * 1024)


class Comes(StrEnum):
    """What a call comes to: an answer, a failure of the exchange, or the end of its time."""

    ANSWER = "answer"
    BROKEN = "broken"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Peer:
    """How a peer behaves; ``facts`` are fields of the answer that it must come to."""

    handle: Handle
    comes: Comes
    facts: Mapping[str, object] = field(default_factory=dict)


@cache
def packed_bomb(window: int) -> bytes:
    """Return a bomb that unpacks to 400 MiB of zeros; a block of it is packed once, since to pack it all takes seconds."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # A full flush leaves nothing to refer to, so that the same bytes may stand behind it again.
    block = packer.compress(_ZEROS) + packer.flush(zlib.Z_FULL_FLUSH)
    deflated = block * (BOMB_BYTES // len(_ZEROS)) + packer.flush()
    if window < 0:
        return deflated
    if window > 15:
        checked = zlib.crc32(b"")
        for _ in range(BOMB_BYTES // len(_ZEROS)):
            checked = zlib.crc32(_ZEROS, checked)
        return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + deflated + struct.pack("<II", checked, BOMB_BYTES)
    # Adler-32 of zeros alone: their number above, one below.
    return b"\x78\xda" + deflated + struct.pack(">HH", BOMB_BYTES % 65_521, 1)


async def _request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


def says(raw: bytes, *, stays: bool = False) -> Handle:
    """A peer that says this to every request, and goes, or stays until the other side does."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(raw)
        await writer.drain()
        if stays:
            await reader.read()

    return handle


def repeats(head: bytes, again: bytes, times: int | None = None, tail: bytes = b"") -> Handle:
    """A peer that says ``again`` as fast as it is read: so many times, and then ``tail``, or for ever."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(head)
        done = 0
        while times is None or done < times:
            writer.write(again)
            await writer.drain()
            done += 1
        writer.write(tail)
        await writer.drain()
        await reader.read()

    return handle


def drips(head: bytes, bit: bytes) -> Handle:
    """A peer that says ``bit`` now and then, for ever."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(head)
        while not reader.at_eof():
            writer.write(bit)
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), _DRIP_S)

    return handle


def bomb(window: int, coding: str) -> Handle:
    """A peer that answers each request with 400 MiB of zeros, packed."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = packed_bomb(window)
        # Of a body that was sent at once the client reads the rest, and uses the connection again.
        while True:
            await _request(reader)
            writer.write(_OK + f"content-encoding: {coding}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()

    return handle


def _answer(body: bytes, *headers: str) -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return _OK + f"{lines}content-length: {len(body)}\r\n\r\n".encode() + body


_NESTED = gzip.compress(gzip.compress(b"inside"))
_CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
_OF_BOMBS = {"status": 200, "truncated": True, "unpacked": True}
_RAW = {"status": 200, "unpacked": False}
_CHUNKED = _OK + b"transfer-encoding: chunked\r\n\r\n"

PEERS: Mapping[str, Peer] = {
    # What is packed.
    "gzip bomb": Peer(bomb(31, "gzip"), Comes.ANSWER, _OF_BOMBS),
    "zlib bomb": Peer(bomb(15, "deflate"), Comes.ANSWER, _OF_BOMBS),
    "deflate bomb": Peer(bomb(-15, "deflate"), Comes.ANSWER, _OF_BOMBS),
    "bomb in a bomb": Peer(
        says(_answer(_NESTED, "content-encoding: gzip, gzip")), Comes.ANSWER, {**_RAW, "body": _NESTED}
    ),
    "bomb in a bomb, in two lines": Peer(
        says(_answer(_NESTED, "content-encoding: gzip", "content-encoding: gzip")),
        Comes.ANSWER,
        {**_RAW, "body": _NESTED},
    ),
    "brotli": Peer(
        says(_answer(b"\x0b\x02\x80", "content-encoding: br")), Comes.ANSWER, {**_RAW, "body": b"\x0b\x02\x80"}
    ),
    "zstd": Peer(
        says(_answer(b"\x28\xb5\x2f\xfd", "content-encoding: zstd")),
        Comes.ANSWER,
        {**_RAW, "body": b"\x28\xb5\x2f\xfd"},
    ),
    "gzip that is none": Peer(
        says(_answer(b"plain", "content-encoding: gzip")), Comes.ANSWER, {**_RAW, "body": b"plain"}
    ),
    # What has no end.
    "10 GB in chunks": Peer(repeats(_CHUNKED, _CHUNK, 160_000), Comes.ANSWER, {"status": 200, "truncated": True}),
    "headers without end": Peer(repeats(_OK, b"x-more: " + b"y" * 1000 + b"\r\n"), Comes.BROKEN),
    "a header without end": Peer(repeats(_OK + b"x-more: ", b"y" * 1000), Comes.BROKEN),
    "a status line without end": Peer(repeats(b"HTTP/1.1 200 ", b"y" * 1000), Comes.BROKEN),
    "interim answers without end": Peer(repeats(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), Comes.LATE),
    "ten thousand interim answers": Peer(
        repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 100, _answer(b"late")), Comes.ANSWER, {"body": b"late"}
    ),
    "chunk extensions without end": Peer(repeats(_CHUNKED + b"1;a=", b"y" * 1000), Comes.BROKEN),
    "trailers without end": Peer(repeats(_CHUNKED + b"0\r\n", b"x-more: " + b"y" * 1000 + b"\r\n"), Comes.BROKEN),
    # What is slow.
    "silence": Peer(says(b"", stays=True), Comes.LATE),
    "headers bit by bit": Peer(drips(_OK + b"x: ", b"y"), Comes.LATE),
    "a body bit by bit": Peer(drips(_OK + b"content-length: 1000\r\n\r\n", b"y"), Comes.LATE),
    "chunks bit by bit": Peer(drips(_CHUNKED, b"1\r\ny\r\n"), Comes.LATE),
    "a body that never closes": Peer(says(_OK + b"\r\nbody", stays=True), Comes.LATE),
    "half a body and silence": Peer(says(_OK + b"content-length: 9\r\n\r\nhalf", stays=True), Comes.LATE),
    # What is no HTTP.
    "HTTP/0.9": Peer(says(b"<html>hello</html>"), Comes.BROKEN),
    "nothing at all": Peer(says(b""), Comes.BROKEN),
    "a bad chunk": Peer(says(_CHUNKED + b"zz\r\nbody\r\n0\r\n\r\n"), Comes.BROKEN),
    "a chunk of 2^64": Peer(says(_CHUNKED + b"10000000000000000\r\nbody"), Comes.BROKEN),
    "a chunk without its end": Peer(says(_CHUNKED + b"4\r\nbodyX0\r\n\r\n"), Comes.BROKEN),
    "less than its length": Peer(says(_OK + b"content-length: 100\r\n\r\nhalf"), Comes.BROKEN),
    "more than its length": Peer(
        says(_OK + b"content-length: 4\r\n\r\nbodyHTTP/1.1 500 No\r\n\r\n"),
        Comes.ANSWER,
        {"status": 200, "body": b"body"},
    ),
    "two lengths": Peer(says(_OK + b"content-length: 4\r\ncontent-length: 5\r\n\r\nbody!"), Comes.BROKEN),
    "a length below zero": Peer(says(_OK + b"content-length: -1\r\n\r\nbody"), Comes.BROKEN),
    "a length that is none": Peer(says(_OK + b"content-length: 4, 4x\r\n\r\nbody"), Comes.BROKEN),
    "a folded header": Peer(says(_OK + b"x: a\r\n b\r\ncontent-length: 2\r\n\r\nok"), Comes.BROKEN),
    "a NUL in a header": Peer(says(_OK + b"x: a\x00b\r\ncontent-length: 2\r\n\r\nok"), Comes.BROKEN),
    "a header without a name": Peer(says(_OK + b": a\r\ncontent-length: 2\r\n\r\nok"), Comes.BROKEN),
    "a status of four digits": Peer(says(b"HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok"), Comes.BROKEN),
    "HTTP/3.0": Peer(says(b"HTTP/3.0 200 OK\r\ncontent-length: 2\r\n\r\nok"), Comes.BROKEN),
    # What is odd, and an answer all the same.
    "an early interim answer": Peer(
        says(b"HTTP/1.1 100 Continue\r\n\r\n" + _answer(b"ok")), Comes.ANSWER, {"status": 200, "body": b"ok"}
    ),
    "a status that nobody knows": Peer(
        says(b"HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nok"), Comes.ANSWER, {"status": 999}
    ),
    "a status without a reason": Peer(
        says(b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok"), Comes.ANSWER, {"body": b"ok"}
    ),
    "a cookie": Peer(says(_answer(b"ok", "set-cookie: a=b; Path=/")), Comes.ANSWER, {"body": b"ok"}),
    "bytes that are no text": Peer(
        says(_answer(b"\xff\x00\x1b[2J\xed\xa0\x80")), Comes.ANSWER, {"body": b"\xff\x00\x1b[2J\xed\xa0\x80"}
    ),
}
