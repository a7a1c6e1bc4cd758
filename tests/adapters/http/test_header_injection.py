"""D4: headers that try to break out of their line, seen by a server that reads bytes: refused twice, and never sent."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from streamer.adapters.memory.clock import VirtualClock
from streamer.adapters.memory.sender import MemorySender
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.reading import Accepted, Refused
from streamer.core.request import Request
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request
from tests.adapters.http.conftest import MakeSender
from tests.support.libraries import both_libraries
from tests.support.listener import trap
from tests.support.raw_server import raw_server
from tests.support.recording import RecordProperty
from tests.support.sending import delivery_of
from tests.wire.samples import AT_MS

Headers = list[list[str]]

MANY = [[f"X-{number}", "v"] for number in range(1_000)]
LARGE = [["X-A", "v" * 1_048_576]]
HOSTILE: list[Headers] = [
    *([["X-A", f"a{end}Injected: 1"]] for end in ("\r\n", "\n", "\r", "\r\n\r\n", "\r\n ", "\x0b", "\x85", "\u2028")),
    *([["X-A", value]] for value in ("a\x00b", "a\x7f", "\x1b[2J", "ü", "\ud7ff", " a", "a\t")),
    *([[f"X-A{end}Injected", "1"]] for end in ("\r\n", "\n", "\r", ": 1\r\n", ":", " ", "\t", "\x00", "\x0b")),
    *(
        [[name, "1"]]
        for name in ("", "X A", "X-A:", " X-A", "X-A ", "X-Ä", "(X)", "X[A]", '"X"', "X/A", "X@A", ":path")
    ),
    *([[name, "localhost"]] for name in ("Host", "HOST", "hOsT", "X-Forwarded-Host", "X_Forwarded_Host", "Forwarded")),
    *([["Content-Length", value]] for value in ("0", "5", "-1", "5, 6")),
    *([["Transfer-Encoding", value]] for value in ("chunked", "xchunked", "chunked, identity")),
    [["Transfer-Encoding", "chunked"], ["Content-Length", "5"]],
    [["Transfer_Encoding", "chunked"]],
    *(
        [[name, "1"]]
        for name in ("TE", "Trailer", "Upgrade", "Expect", "Keep-Alive", "HTTP2-Settings", "Proxy-Authorization")
    ),
    [["Connection", "close"]],
    [["Connection", "webhook-id"]],
    [["Connection", "X-A"], ["X-A", "1"]],
    [["webhook-id", "mine"]],
    [["webhook-signature", "v1,mine"]],
    [["X-Streamer-Attempt", "9"]],
    [["Metadata-Flavor", "Google"]],
    [["X-aws-ec2-metadata-token-ttl-seconds", "60"]],
    [["Content-Type", "a/b"], ["content-type", "c/d"]],
    MANY,
    LARGE,
]


def read(headers: Any) -> Accepted | Refused:
    """Read a request with these headers, as a record has them."""
    record = {"url": "https://example.com/", "headers": headers, "body": "hello"}
    return read_request(orjson.dumps(record), (), DEFAULT_LIMITS, AT_MS)


@pytest.mark.parametrize("headers", HOSTILE, ids=lambda headers: ascii(headers)[:50])
def test_refused_at_acceptance(headers: Headers) -> None:
    """As a list and as an object: the field is named, and no value is told again."""
    for written in (headers, dict(headers)) if len(dict(headers)) == len(headers) else (headers,):
        outcome = read(written)
        assert isinstance(outcome, Refused)
        assert outcome.field == "headers"
        assert outcome.reason.isprintable()
        assert len(outcome.reason) < 300


@both_libraries
async def test_refused_again_at_send(make_sender: MakeSender, record_property: RecordProperty) -> None:
    """A record that somebody else wrote past acceptance ends as blocked, and not one byte goes out."""
    senders = make_sender(), MemorySender(VirtualClock())
    record_property("cases", len(HOSTILE) * len(senders))
    async with trap("127.0.0.1") as target:
        for headers in HOSTILE:
            pairs = tuple((name, value) for name, value in headers)
            for sender in senders:
                exchange = await sender.send(
                    delivery_of(Request(f"http://127.0.0.1:{target.port}/", headers=pairs, body=b"x"))
                )
                assert isinstance(exchange.end, Failure), ascii(headers)[:80]
                assert (exchange.end.error, exchange.end.begun) == (ErrorType.BLOCKED, False)


@both_libraries
async def test_what_passes_is_one_line_each(make_sender: MakeSender) -> None:
    """Of odd headers that are allowed each stands as it was given on a line of its own, and the body is what it was."""
    odd = (("X-Odd!#$%&'*+.^_`|~9", 'a: b, "c"\t;=d'), ("x-a", ""), ("X-a", "1"), ("X-A", "%0d%0aInjected: 1"))
    raw = b""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal raw
        raw = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(5)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(handle) as port:
        request = Request(f"http://127.0.0.1:{port}/a", headers=odd, body=b"hello")
        delivery = delivery_of(request)
        exchange = await make_sender().send(delivery)
    assert isinstance(exchange.end, Response), exchange.end
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert (first, body) == (b"POST /a HTTP/1.1", b"hello")
    names = [line.partition(b":")[0].decode().lower() for line in lines]
    ours = [name.lower() for name, _ in exchange.sent_headers[len(odd) :]]
    assert sorted(names) == sorted([*(name.lower() for name, _ in odd), *ours, "host", "accept", "content-length"])
    values = [line.partition(b":")[2].decode().strip() for line in lines if line.lower().startswith(b"x-a:")]
    assert values == ["", "1", "%0d%0aInjected: 1"]


@both_libraries
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
async def test_a_body_goes_with_every_method(make_sender: MakeSender, method: str) -> None:
    """A body that RFC 9110 gives no meaning is sent as given, with its length, so that none is taken for a request."""
    raw = b""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal raw
        raw = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(5)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with raw_server(handle) as port:
        await make_sender().send(delivery_of(Request(f"http://127.0.0.1:{port}/", method=method, body=b"hello")))
    assert raw.startswith(method.encode() + b" / HTTP/1.1\r\n")
    assert b"content-length: 5\r\n" in raw.lower()
    assert raw.endswith(b"\r\n\r\nhello")
