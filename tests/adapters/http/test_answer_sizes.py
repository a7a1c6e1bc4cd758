"""Bodies of every size around the bounds at which reading goes on, ends or is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from streamer.adapters.http.content_coding import SMALL_BYTES
from streamer.core.outcome import Response
from streamer.core.request import Request
from tests.adapters.http.conftest import MakeSender
from tests.support.libraries import both_libraries
from tests.support.raw_server import raw_server
from tests.support.sending import delivery_of

KEEP_BYTES = 3 * SMALL_BYTES


def chunked(body: bytes) -> bytes:
    """Return an answer that does not say how long it is; its body comes in pieces of a thousand bytes."""
    pieces = [body[at : at + 1_000] for at in range(0, len(body), 1_000)]
    written = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + written + b"0\r\n\r\n"


def measured(body: bytes) -> bytes:
    """Return an answer that says how long it is."""
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body


@both_libraries
@pytest.mark.parametrize("write", [measured, chunked])
@pytest.mark.parametrize("size", [0, 1, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, KEEP_BYTES - 1, KEEP_BYTES])
async def test_body_that_fits_is_kept_and_its_connection_used_again(
    make_sender: MakeSender, write: Callable[[bytes], bytes], size: int
) -> None:
    """Whatever its size and framing, a body that fits is whole, and the next call goes over the same connection."""
    body = bytes(number % 251 for number in range(size))
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(write(body))
            await writer.drain()

    async with raw_server(handle) as port:
        sender = make_sender(keep_bytes=KEEP_BYTES)
        for _ in range(3):
            end = (await sender.send(delivery_of(Request(f"http://127.0.0.1:{port}/", method="GET")))).end
            assert isinstance(end, Response), end
            assert (end.body, end.truncated, end.body_bytes) == (body, False, size)
    assert connections == 1


@both_libraries
@pytest.mark.parametrize("keep_bytes", [0, 10, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1])
async def test_nothing_is_waited_for_beyond_what_is_kept(make_sender: MakeSender, keep_bytes: int) -> None:
    """A peer that sends one byte more than is kept, and then nothing, has answered."""
    sent = bytes(number % 251 for number in range(keep_bytes + 1))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + sent)
        await reader.read()

    async with raw_server(handle) as port:
        request = Request(f"http://127.0.0.1:{port}/", method="GET", timeout_ms=20_000)
        exchange = await make_sender(keep_bytes=keep_bytes).send(delivery_of(request))
    assert isinstance(exchange.end, Response), exchange.end
    assert (exchange.end.body, exchange.end.truncated) == (sent[:keep_bytes], True)
    assert exchange.duration_ms < 10_000
