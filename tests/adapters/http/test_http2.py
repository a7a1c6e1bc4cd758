"""HTTP/2: agreed upon in TLS, spoken at once where the domain says so, or never."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.clients import Clients
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.target import Target
from streamer.core.outcome import Response
from streamer.core.policy import Policy
from streamer.core.request import Request
from streamer.core.send_policy import Http2
from tests.adapters.http.conftest import MakeSender
from tests.support.authority import Authority, server_context
from tests.support.http2_server import Http2Server, http2_server
from tests.support.libraries import both_libraries
from tests.support.policies import Sayings, delivery_to
from tests.support.receiver import Receiver
from tests.support.waiting import until

HOST = "secure.test"
BOTH = ("h2", "http/1.1")


async def to_this_machine(host: str) -> tuple[str, ...]:
    return ("127.0.0.1",)


@pytest.fixture(scope="module")
def authority() -> Authority:
    """The authority that these tests trust."""
    return Authority()


async def call(make_sender: MakeSender, url: str, authority: Authority, http2: Http2 | None) -> str:
    """Call a URL, and return the version in which it was answered."""
    sayings = Sayings()
    if http2 is not None:
        sayings.say(url, Policy(http2=http2))
    options = ClientOptions(root_certificates=(authority.pem,))
    sender = make_sender(look_up=to_this_machine, options=options, policies=sayings)
    exchange = await sender.send(delivery_to(Request(url, body=b"x")))
    assert isinstance(exchange.end, Response), exchange.end
    assert (exchange.end.status, exchange.end.body) == (200, b"ok")
    return exchange.end.http_version


@both_libraries
@pytest.mark.parametrize(
    ("http2", "alpn", "version"),
    [
        (None, BOTH, "HTTP/2.0"),
        (Http2.AUTO, BOTH, "HTTP/2.0"),
        (Http2.OFF, BOTH, "HTTP/1.1"),
        (Http2.PRIOR_KNOWLEDGE, BOTH, "HTTP/2.0"),
        (None, ("http/1.1",), "HTTP/1.1"),
        (None, (), "HTTP/1.1"),
    ],
)
async def test_version_over_tls_is_agreed_upon(
    make_sender: MakeSender,
    authority: Authority,
    tmp_path: Path,
    http2: Http2 | None,
    alpn: Sequence[str],
    version: str,
) -> None:
    """A server that knows HTTP/2 is spoken to in it unless the domain says otherwise; the result tells the version."""
    context = server_context(authority.issue([HOST]), tmp_path, alpn=alpn)
    async with http2_server(context) as server:
        assert await call(make_sender, f"https://{HOST}:{server.port}/", authority, http2) == version
        assert server.versions == [version.removeprefix("HTTP/").removesuffix(".0")]


@both_libraries
async def test_prior_knowledge_needs_no_tls(make_sender: MakeSender, authority: Authority) -> None:
    """A domain inside one's own walls may speak HTTP/2 without TLS."""
    async with http2_server() as server:
        url = f"http://{HOST}:{server.port}/"
        assert await call(make_sender, url, authority, Http2.PRIOR_KNOWLEDGE) == "HTTP/2.0"


@both_libraries
async def test_without_tls_and_knowledge_it_is_http1(make_sender: MakeSender, receiver: Receiver) -> None:
    """Nobody is asked to upgrade."""
    exchange = await make_sender().send(delivery_to(Request(receiver.url)))
    assert isinstance(exchange.end, Response)
    assert exchange.end.http_version == "HTTP/1.1"
    assert receiver.arrivals[0].header("upgrade") is None


@both_libraries
async def test_calls_side_by_side_share_a_connection(make_sender: MakeSender) -> None:
    """Twenty calls that are in flight together are twenty streams of one connection."""

    async def all_held(server: Http2Server) -> None:
        await until(lambda: len(server.versions) == 21)
        assert server.connections == 1
        server.hold.set()

    async with http2_server() as server:
        url = f"http://{HOST}:{server.port}/"
        sayings = Sayings()
        sayings.say(url, Policy(http2=Http2.PRIOR_KNOWLEDGE))
        sender = make_sender(look_up=to_this_machine, policies=sayings)
        await sender.send(delivery_to(Request(url)))
        server.hold.clear()
        calls = [sender.send(delivery_to(Request(url))) for _ in range(20)]
        *exchanges, _ = await asyncio.gather(*calls, all_held(server))
    assert all(exchange is not None and isinstance(exchange.end, Response) for exchange in exchanges)


@both_libraries
async def test_first_calls_side_by_side_leave_one_connection(
    make_sender: MakeSender, authority: Authority, tmp_path: Path
) -> None:
    """Before it is known that calls can share, each may connect; one connection stays, and takes all that follow."""
    async with http2_server(server_context(authority.issue([HOST]), tmp_path, alpn=BOTH)) as server:
        sender = make_sender(look_up=to_this_machine, options=ClientOptions(root_certificates=(authority.pem,)))
        request = Request(f"https://{HOST}:{server.port}/")
        await asyncio.gather(*(sender.send(delivery_to(request)) for _ in range(20)))
        await until(lambda: server.open == 1)
        await asyncio.gather(*(sender.send(delivery_to(request)) for _ in range(20)))
        # Not the count of connections: a late one of the first calls may still come, to be closed unused.
        assert len(server.carried_by) == 40
        assert len(set(server.carried_by[20:])) == 1
        assert server.connections <= 20


@both_libraries
async def test_shared_connection_counts_once_among_the_idle(library: HttpLibrary) -> None:
    """Where calls share a connection, many at once leave one idle connection: no client has to go for it."""
    clients = Clients(library, ClientOptions(idle_total=2))
    a, b = Target("http", "a.test", 1), Target("http", "b.test", 1)
    for target in (a, b):
        pinned = await clients.build(target, "127.0.0.1")
        pinned.shares = True
        more = [clients.borrow(target, "127.0.0.1") for _ in range(9)]
        for each in [pinned, *more]:
            assert each is pinned
            clients.give_back(each)
        clients._quiet[target] -= 2.0
    clients.give_back(await clients.build(Target("http", "c.test", 1), "127.0.0.1"))
    kept = [clients.borrow(target, "127.0.0.1") is not None for target in (a, b)]
    assert kept == [False, True], "three idle connections are one too many: the quietest goes, and no other"
    await clients.close()
