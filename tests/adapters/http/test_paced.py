"""The waits within a call: for the first byte and between pieces, each with a time of its own and an error that names it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from streamer.adapters.http.pace import Pace
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.request import Request
from tests.adapters.http.conftest import MakeSender
from tests.support.libraries import both_libraries
from tests.support.raw_server import raw_server
from tests.support.sending import delivery_of

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"
Peer = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def half_a_head(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD[:20])
    await asyncio.Event().wait()


async def only_a_head(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    await asyncio.Event().wait()


async def half_a_body(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"abc")
    await asyncio.Event().wait()


async def piece_by_piece(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    for piece in (b"ab", b"cd", b"ef"):
        await writer.drain()
        await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=0.15)
        writer.write(piece)


async def sent(make_sender: MakeSender, peer: Peer, pace: Pace | None, timeout_ms: int) -> Exchange:
    """Send to a peer that does so much and no more."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await peer(writer)

    async with raw_server(handle) as port:
        request = Request(f"http://127.0.0.1:{port}/", timeout_ms=timeout_ms)
        return await make_sender(pace=pace).send(delivery_of(request))


@both_libraries
@pytest.mark.parametrize(
    ("peer", "pace", "error"),
    [
        (silent, None, ErrorType.FIRST_BYTE_TIMEOUT),
        (half_a_head, None, ErrorType.FIRST_BYTE_TIMEOUT),
        (only_a_head, None, ErrorType.TOTAL_TIMEOUT),
        (half_a_body, None, ErrorType.TOTAL_TIMEOUT),
        # A pace that is slower than the whole changes nothing.
        (silent, Pace(60_000, 60_000), ErrorType.FIRST_BYTE_TIMEOUT),
        (half_a_body, Pace(60_000, 60_000), ErrorType.TOTAL_TIMEOUT),
    ],
)
async def test_whole_timeout_says_what_was_waited_for(
    make_sender: MakeSender, peer: Peer, pace: Pace | None, error: ErrorType
) -> None:
    """A call that takes too long as a whole tells whether its answer had begun."""
    exchange = await sent(make_sender, peer, pace, 300)
    assert isinstance(exchange.end, Failure)
    assert (exchange.end.error, exchange.end.begun) == (error, True)
    assert 290 <= exchange.duration_ms < 1_500


@both_libraries
@pytest.mark.parametrize(
    ("peer", "pace", "error"),
    [
        (silent, Pace(first_byte_ms=100), ErrorType.FIRST_BYTE_TIMEOUT),
        (half_a_head, Pace(first_byte_ms=100), ErrorType.FIRST_BYTE_TIMEOUT),
        (only_a_head, Pace(first_byte_ms=5_000, read_ms=100), ErrorType.READ_TIMEOUT),
        (half_a_body, Pace(read_ms=100), ErrorType.READ_TIMEOUT),
    ],
)
async def test_wait_within_a_call_ends_it_early(
    make_sender: MakeSender, peer: Peer, pace: Pace, error: ErrorType
) -> None:
    """A wait that is too long ends the call long before its whole timeout, and names the setting."""
    exchange = await sent(make_sender, peer, pace, 10_000)
    assert isinstance(exchange.end, Failure)
    assert (exchange.end.error, exchange.end.begun) == (error, True)
    assert f"http.{error}" in exchange.end.message
    assert 90 <= exchange.duration_ms < 2_000


@both_libraries
async def test_answer_that_keeps_the_pace_is_read(make_sender: MakeSender) -> None:
    """A body may take longer than either wait as long as each piece comes in time."""
    exchange = await sent(make_sender, piece_by_piece, Pace(first_byte_ms=400, read_ms=400), 10_000)
    assert isinstance(exchange.end, Response), exchange.end
    assert exchange.end.body == b"abcdef"
    assert exchange.duration_ms > 400
