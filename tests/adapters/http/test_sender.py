"""What the pyreqwest sender does and must not do on the wire."""

from __future__ import annotations

import asyncio
import gzip
import os
from contextlib import suppress

import pytest
from msgspec.structs import replace

from streamer.adapters.demo.exchange import OK, SILENCE, After, Answer
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.headers import OUTGOING
from streamer.core.outcome import ErrorType, Exchange, Failure, Response
from streamer.core.request import Request
from tests.adapters.http.conftest import MakeSender
from tests.support.libraries import both_libraries
from tests.support.raw_server import raw_server
from tests.support.receiver import Receiver
from tests.support.sending import closed_port, delivery_of
from tests.support.waiting import until

#: What the client adds by itself.
CLIENTS = {"host", "accept", "content-length"}
#: Documented headers that come from a key, from credentials and from the producer.
OF_OTHERS = {"webhook-signature", "authorization", "tracestate"}
REFUSED_URLS = [
    "http://127.0.0.1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://127.1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://user:pass@1.1.1.1:{port}/",
    "http://127.0.0.1:{port}\\@1.1.1.1/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "http://",
    "no url",
]


def answer_of(exchange: Exchange) -> Response:
    """Return the answer of an exchange that has one."""
    assert isinstance(exchange.end, Response), exchange.end
    return exchange.end


@both_libraries
@pytest.mark.parametrize("url", REFUSED_URLS)
async def test_ways_inside_are_blocked(make_sender: MakeSender, receiver: Receiver, url: str) -> None:
    """Every notation of this machine is refused as what it is, before a connection is made."""
    sender = make_sender(AddressPolicy())
    exchange = await sender.send(delivery_of(Request(url.format(port=receiver.server.port))))
    assert isinstance(exchange.end, Failure)
    assert (exchange.end.error, exchange.end.begun) == (ErrorType.BLOCKED, False)
    assert receiver.server.accepted == 0


@both_libraries
async def test_name_is_called_at_its_judged_address(make_sender: MakeSender, receiver: Receiver) -> None:
    """The connection goes where our look-up led, with the URL's own host in the request."""

    async def look_up(host: str) -> tuple[str, ...]:
        return ("127.0.0.1",)

    url = receiver.url.replace("127.0.0.1", "Hooks.Test") + "/a?b=c#d"
    exchange = await make_sender(look_up=look_up).send(delivery_of(Request(url)))
    assert answer_of(exchange).status == 200
    assert exchange.address == "127.0.0.1"
    assert receiver.arrivals[0].path == "/a?b=c"
    assert receiver.arrivals[0].header("host") == f"hooks.test:{receiver.server.port}"


@both_libraries
async def test_dead_address_gives_way_to_the_next(make_sender: MakeSender, receiver: Receiver) -> None:
    """After a refused connection the next attempt calls the name's other address."""

    async def look_up(host: str) -> tuple[str, ...]:
        return ("127.0.0.9", "127.0.0.1")

    sender = make_sender(look_up=look_up)
    request = Request(receiver.url.replace("127.0.0.1", "hooks.test"))
    first = await sender.send(delivery_of(request))
    assert isinstance(first.end, Failure)
    assert (first.end.error, first.address) == (ErrorType.CONNECT, "127.0.0.9")
    second = await sender.send(delivery_of(request, attempt=2))
    assert (answer_of(second).status, second.address) == (200, "127.0.0.1")


@both_libraries
async def test_only_documented_headers_are_added(make_sender: MakeSender, receiver: Receiver) -> None:
    """On the wire stand the caller's headers, the closed list and the client's three, each once."""
    request = Request(receiver.url, headers=(("X-Mine", "1"),), traceparent="00-1-2-01")
    await make_sender().send(replace(delivery_of(request), business_id="order 17"))
    names = [name.lower() for name, _ in receiver.arrivals[0].headers]
    documented = {header.name.lower() for header in OUTGOING} - OF_OTHERS
    assert sorted(names) == sorted({"x-mine", *CLIENTS, *documented})


@both_libraries
async def test_callers_accept_goes_before_the_clients(make_sender: MakeSender, receiver: Receiver) -> None:
    """Whatever a caller accepts is what stands there, on as many lines as were given."""
    request = Request(receiver.url, headers=(("Accept", "a/b"), ("X-A", "1"), ("accept", "c/d")))
    answer_of(await make_sender().send(delivery_of(request)))
    found = [(name.lower(), value) for name, value in receiver.arrivals[0].headers if name.lower() in {"accept", "x-a"}]
    assert sorted(found) == [("accept", "a/b"), ("accept", "c/d"), ("x-a", "1")]


@both_libraries
@pytest.mark.parametrize("header", [("a b", "c"), ("", "c"), ("x", "a\r\nb: c"), ("x", "\x00")])
async def test_broken_headers_are_blocked(make_sender: MakeSender, receiver: Receiver, header: tuple[str, str]) -> None:
    """A header that would break the request is refused with nothing sent."""
    exchange = await make_sender().send(delivery_of(Request(receiver.url, headers=(header,))))
    assert isinstance(exchange.end, Failure)
    assert (exchange.end.error, exchange.end.begun) == (ErrorType.BLOCKED, False)
    assert receiver.arrivals == []


@both_libraries
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(make_sender: MakeSender, receiver: Receiver, status: int) -> None:
    """A redirect is an answer that says where it points; nobody goes there."""
    trap = receiver.on("/trap", OK)
    url = receiver.on("/moved", Answer(status, headers=(("location", trap),)))
    answer = answer_of(await make_sender().send(delivery_of(Request(url, body=b"x"))))
    assert (answer.status, dict(answer.headers)["location"]) == (status, trap)
    assert [arrival.path for arrival in receiver.arrivals] == ["/moved"]


@both_libraries
async def test_proxy_of_the_environment_is_ignored(make_sender: MakeSender, receiver: Receiver) -> None:
    """HTTP_PROXY would send every call to a place that nobody judged."""
    saved = dict(os.environ)
    with closed_port() as port:
        os.environ.update(dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), f"http://127.0.0.1:{port}"))
        try:
            exchange = await make_sender().send(delivery_of(Request(receiver.url)))
        finally:
            os.environ.clear()
            os.environ.update(saved)
    assert answer_of(exchange).status == 200


@both_libraries
async def test_cookies_are_forgotten(make_sender: MakeSender, receiver: Receiver) -> None:
    """A cookie of one call is not sent with another, which may be another tenant's."""
    url = receiver.on("/cookie", Answer(headers=(("set-cookie", "a=b; Path=/"),)))
    sender = make_sender()
    await sender.send(delivery_of(Request(url)))
    await sender.send(delivery_of(Request(url)))
    assert [arrival.header("cookie") for arrival in receiver.arrivals] == [None, None]


@both_libraries
async def test_connections_are_kept_alive(make_sender: MakeSender, receiver: Receiver) -> None:
    """Calls one after the other share a connection; side by side each has its own, and all are used again."""
    sender = make_sender()
    for _ in range(5):
        await sender.send(delivery_of(Request(receiver.url)))
    assert receiver.server.accepted == 1
    for _ in range(2):
        await asyncio.gather(*(sender.send(delivery_of(Request(receiver.url))) for _ in range(20)))
    assert receiver.server.accepted <= 21


@both_libraries
async def test_packed_body_is_unpacked_no_further_than_it_is_kept(make_sender: MakeSender, receiver: Receiver) -> None:
    """We ask for no compression; of what comes packed all the same only so much is made as is kept."""
    packed = gzip.compress(b"\0" * 1_000_000)
    url = receiver.on("/bomb", Answer(headers=(("content-encoding", "gzip"),), body=packed))
    answer = answer_of(await make_sender().send(delivery_of(Request(url))))
    assert (answer.body, answer.truncated, answer.unpacked) == (bytes(65_536), True, True)
    assert answer.body_bytes == len(packed)
    assert dict(answer.headers)["content-encoding"] == "gzip"
    assert receiver.arrivals[0].header("accept-encoding") is None


@both_libraries
async def test_endless_body_is_dropped_with_its_connection(make_sender: MakeSender, receiver: Receiver) -> None:
    """Of a body that would take for ever only the head is read, at once, and the connection goes."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n"
    url = receiver.on("/endless", Answer(raw=head + b"x" * 200_000, after=After.HANG))
    answer = answer_of(await make_sender().send(delivery_of(Request(url))))
    assert (len(answer.body), answer.truncated) == (65_536, True)
    assert 65_536 < answer.body_bytes < 1_000_000
    await until(lambda: not receiver.server.open_connections)


@both_libraries
async def test_cancelled_call_leaves_its_connection_no_longer_than_its_timeout(
    make_sender: MakeSender, receiver: Receiver
) -> None:
    """The client goes on with a call that is given up; the call's own timeout bounds for how long."""
    sender = make_sender()
    request = Request(receiver.on("/silent", SILENCE), timeout_ms=400)
    task = asyncio.create_task(sender.send(delivery_of(request)))
    await receiver.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not receiver.server.open_connections)


@both_libraries
async def test_header_beyond_ascii_costs_only_itself(make_sender: MakeSender, receiver: Receiver) -> None:
    """One unreadable header value leaves the others and the answer readable."""
    raw = b"HTTP/1.1 200 OK\r\nx-bad: \xff\xfe\r\nx-good: 1\r\ncontent-length: 2\r\n\r\nok"
    answer = answer_of(await make_sender().send(delivery_of(Request(receiver.on("/bytes", Answer(raw=raw))))))
    assert answer.body == b"ok"
    assert answer.headers == (("x-bad", ""), ("x-good", "1"), ("content-length", "2"))


@both_libraries
async def test_timeout_is_capped(make_sender: MakeSender, receiver: Receiver) -> None:
    """A task may ask for any timeout; the operator's cap is the longest it gets."""
    request = Request(receiver.on("/silent", SILENCE), timeout_ms=600_000)
    exchange = await make_sender(timeout_cap_ms=200).send(delivery_of(request))
    assert isinstance(exchange.end, Failure)
    assert exchange.end.error is ErrorType.FIRST_BYTE_TIMEOUT
    assert exchange.duration_ms < 1_000


@both_libraries
async def test_dripping_body_ends_with_the_timeout(make_sender: MakeSender) -> None:
    """A peer that sends a byte now and then is held to the whole timeout."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.02)

    async with raw_server(drip) as port:
        request = Request(f"http://127.0.0.1:{port}/", timeout_ms=300)
        exchange = await make_sender().send(delivery_of(request))
    assert isinstance(exchange.end, Failure)
    assert exchange.end.error is ErrorType.TOTAL_TIMEOUT
    assert 290 <= exchange.duration_ms < 1_500
