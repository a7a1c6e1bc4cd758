"""Redirects: answers that say where they point, and nothing more."""

from __future__ import annotations

import pytest

from streamer.adapters.demo.exchange import Answer
from streamer.core.outcome import Response
from streamer.core.request import Request
from tests.adapters.http.conftest import MakeSender
from tests.support.libraries import both_libraries
from tests.support.listener import trap
from tests.support.receiver import Receiver
from tests.support.recording import RecordProperty
from tests.support.sending import delivery_of

STATUSES = [300, 301, 302, 303, 304, 305, 307, 308]
#: Where a redirect may point; ``{trap}`` listens and must never be called.
LOCATIONS = [
    "http://{trap}/",
    "https://{trap}/",
    "//{trap}/",
    "http://user:secret@{trap}/",
    "/trap",
    "trap?again=1",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "file:///etc/passwd",
    "gopher://{trap}/",
    "",
]


@both_libraries
@pytest.mark.parametrize("status", STATUSES)
async def test_nobody_goes_where_a_redirect_points(
    make_sender: MakeSender, receiver: Receiver, status: int, record_property: RecordProperty
) -> None:
    """Absolute, relative, to another scheme, with a user: one call, whose answer says where it points."""
    record_property("cases", len(LOCATIONS))
    async with trap("127.0.0.1", "::1") as away:
        sender = make_sender()
        for number, location in enumerate(LOCATIONS):
            points_to = location.format(trap=f"127.0.0.1:{away.port}", port=away.port)
            url = receiver.on(f"/moved/{number}", Answer(status, headers=(("location", points_to),)))
            headers = (("Authorization", "Bearer x"), ("X-Api-Key", "x"))
            exchange = await sender.send(delivery_of(Request(url, headers=headers, body=b"x")))
            assert isinstance(exchange.end, Response), location
            assert (exchange.end.status, dict(exchange.end.headers)["location"]) == (status, points_to)
        assert [arrival.path for arrival in receiver.arrivals] == [f"/moved/{n}" for n in range(len(LOCATIONS))]


@both_libraries
async def test_a_chain_of_fifty_is_its_first_link(make_sender: MakeSender, receiver: Receiver) -> None:
    """However long the chain, only the address that the task named is called."""
    for hop in range(50):
        receiver.on(f"/hop/{hop}", Answer(302, headers=(("location", f"/hop/{hop + 1}"),)))
    exchange = await make_sender().send(delivery_of(Request(f"{receiver.url}/hop/0")))
    assert isinstance(exchange.end, Response)
    assert dict(exchange.end.headers)["location"] == "/hop/1"
    assert [arrival.path for arrival in receiver.arrivals] == ["/hop/0"]
