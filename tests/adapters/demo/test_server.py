"""The small server: framing, order, and answers that break on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from streamer.adapters.demo.exchange import DROP, After, Answer, Arrival
from streamer.adapters.demo.server import Server
from tests.support.receiver import Receiver, running_receiver

GET = b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver in this loop."""
    async with running_receiver() as running:
        yield running


async def talk(receiver: Receiver, *parts: bytes) -> bytes:
    """Send raw parts, each when the loop has turned, and return all that comes back until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.server.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


async def test_request_in_single_bytes_is_one_arrival(receiver: Receiver) -> None:
    """However a request is cut up on its way, it arrives once and whole."""
    raw = b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-LENGTH: 4\r\nX-Y:  z \r\n\r\nbody"
    await talk(receiver, *(raw[i : i + 1] for i in range(len(raw))))
    (arrival,) = receiver.arrivals
    assert (arrival.method, arrival.path, arrival.body) == ("POST", "/a?b", b"body")
    assert arrival.header("x-y") == "z"
    assert arrival.headers[0] == ("Host", "x")


async def test_pipelined_requests_are_answered_in_order(receiver: Receiver) -> None:
    """A second request waits until the first is answered, however slow that is."""
    receiver.on("/slow", Answer(201, delay_s=0.05))
    receiver.on("/fast", Answer(202, after=After.CLOSE))
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.server.port)
    writer.write(GET % b"/slow" + GET % b"/fast")
    said = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert said.index(b" 201 ") < said.index(b" 202 ")
    assert [arrival.connection for arrival in receiver.arrivals] == [1, 1]


async def test_dropped_connection_says_nothing(receiver: Receiver) -> None:
    """A dropped call sees the end of the connection and no byte."""
    receiver.on("/down", DROP)
    assert await talk(receiver, GET % b"/down") == b""


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, b"431"),
    ],
)
async def test_unreadable_requests_are_refused(receiver: Receiver, raw: bytes, status: bytes) -> None:
    """A request whose end cannot be told, or whose head has none, is refused and the connection closed."""
    assert (await talk(receiver, raw)).startswith(b"HTTP/1.1 " + status)
    assert receiver.arrivals == []


async def test_stop_cuts_what_is_open() -> None:
    """After the stop nothing listens, and a call that waited for its answer is cut."""

    def late(arrival: Arrival) -> Answer:
        return Answer(delay_s=60)

    server = Server(late)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET % b"/")
    await server.stop()
    try:
        assert await asyncio.wait_for(reader.read(), 30) == b""
    except ConnectionResetError:
        pass
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
