"""Two businesses that call one host: nothing of one goes with a call of the other's."""

from __future__ import annotations

from msgspec.structs import replace

from streamer.adapters.demo.exchange import Answer
from streamer.core.outcome import Response
from streamer.core.request import Request
from tests.adapters.http.conftest import MakeSender
from tests.support.receiver import Receiver
from tests.support.sending import delivery_of

COOKIES = (("set-cookie", "session=acmes; Path=/"), ("set-cookie2", "old=1"), ("www-authenticate", 'Basic realm="x"'))


async def test_no_cookie_or_header_of_one_goes_with_the_others_call(
    make_sender: MakeSender, receiver: Receiver
) -> None:
    """They may share a connection; what a call shows is its own alone, in whatever order they come."""
    receiver.on("/hook", Answer(headers=COOKIES))
    sender, url = make_sender(), f"{receiver.url}/hook"
    acme = delivery_of(Request(url, headers=(("Authorization", "Bearer acmes"), ("X-Acme", "1"), ("Cookie", "a=1"))))
    other = replace(delivery_of(Request(url)), business="other")
    for _ in range(5):
        await sender.send(acme)
        await sender.send(other)
    assert receiver.server.accepted == 1
    of_other = receiver.arrivals[1::2]
    assert len(of_other) == 5
    for arrival in of_other:
        assert [arrival.header(name) for name in ("authorization", "x-acme", "cookie", "referer")] == [None] * 4
    assert {arrival.header("cookie") for arrival in receiver.arrivals[::2]} == {"a=1"}


async def test_an_answer_that_asks_for_credentials_gets_none(make_sender: MakeSender, receiver: Receiver) -> None:
    """A 401 or 407 is an answer; nobody calls again with what was shown before."""
    for status in (401, 407):
        url = receiver.on(f"/{status}", Answer(status, headers=COOKIES))
        exchange = await make_sender().send(delivery_of(Request(url, headers=(("Authorization", "Bearer acmes"),))))
        assert isinstance(exchange.end, Response)
        assert exchange.end.status == status
    assert len(receiver.arrivals) == 2
