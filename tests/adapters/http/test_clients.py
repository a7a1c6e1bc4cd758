"""Clients: one per target, bounded, pinned, closed only when their last call has ended."""

from __future__ import annotations

import asyncio

from streamer.adapters.http.client_options import ClientOptions
from streamer.adapters.http.clients import Clients, Pinned
from streamer.adapters.http.deadlines import Deadlines
from streamer.adapters.http.library import ClientClosed, HttpLibrary
from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.target import Target
from streamer.core.outcome import Response
from streamer.core.send_policy import SendPolicy
from tests.support.libraries import both_libraries

HERE = "127.0.0.1"


async def called(library: HttpLibrary, pinned: Pinned, url: str) -> bool:
    """Tell whether a client still makes calls."""
    call = Outgoing("GET", url, [], b"", 5_000, 100, "lane", SendPolicy())
    deadlines = Deadlines()
    try:
        end = await pinned.client.call(call, library.read(url)[1], deadlines, None)
    except ClientClosed:
        return False
    finally:
        deadlines.close()
    assert isinstance(end, Response), end
    return end.status == 200


def target_of(url: str, host: str) -> Target:
    """Return a target on the receiver's port under another name."""
    return Target("http", host, int(url.rpartition(":")[2]))


@both_libraries
async def test_side_by_side_calls_build_once(library: HttpLibrary, receiver_url: str) -> None:
    """Twenty first calls to a target share one client."""
    clients = Clients(library, ClientOptions())
    target = target_of(receiver_url, "a.test")
    pinned = await asyncio.gather(*(clients.build(target, HERE) for _ in range(20)))
    assert len({id(p) for p in pinned}) == 1
    assert pinned[0].calls == 20
    await clients.close()


@both_libraries
async def test_pinned_client_goes_where_it_was_told(library: HttpLibrary, receiver_url: str) -> None:
    """The client reaches the judged address under the URL's name, which no resolver knows."""
    clients = Clients(library, ClientOptions())
    for host in ("a.test", "b.test.", "xn--bcher-kva.test"):
        target = target_of(receiver_url, host)
        assert await called(library, await clients.build(target, HERE), f"http://{host}:{target.port}/")
    await clients.close()


@both_libraries
async def test_client_of_another_address_is_not_borrowed(library: HttpLibrary, receiver_url: str) -> None:
    """Once a name leads elsewhere, its old client takes no new call and closes after its last."""
    clients = Clients(library, ClientOptions())
    target = target_of(receiver_url, "a.test")
    url = f"http://a.test:{target.port}/"
    old = await clients.build(target, HERE)
    assert clients.borrow(target, "127.0.0.2") is None
    new = await clients.build(target, "127.0.0.2")
    assert (len(clients), old.retired, new.retired) == (1, True, False)
    assert await called(library, old, url), "a call in flight goes on"
    clients.give_back(old)
    await asyncio.sleep(0)
    assert not await called(library, old, url)
    await clients.close()


@both_libraries
async def test_full_cache_evicts_the_least_used(library: HttpLibrary, receiver_url: str) -> None:
    """The client that was not used for longest goes; while it has a call it is not closed."""
    clients = Clients(library, ClientOptions(), limit=2)
    a, b, c = (target_of(receiver_url, host) for host in ("a.test", "b.test", "c.test"))
    first = await clients.build(a, HERE)
    second = await clients.build(b, HERE)
    clients.give_back(second)
    assert clients.borrow(a, HERE) is first
    await clients.build(c, HERE)
    assert len(clients) == 2
    assert clients.borrow(b, HERE) is None
    await asyncio.sleep(0)
    assert not await called(library, second, f"http://b.test:{b.port}/")
    assert await called(library, first, f"http://a.test:{a.port}/")
    await clients.close()
    assert not await called(library, first, f"http://a.test:{a.port}/")
    assert len(clients) == 0


def quiet_for(clients: Clients, seconds: float) -> None:
    """Let the quiet clients have been quiet for longer, so that no test has to wait for it."""
    for target in clients._quiet:
        clients._quiet[target] -= seconds


@both_libraries
async def test_too_many_idle_connections_close_the_clients_that_were_quiet_longest(
    library: HttpLibrary, receiver_url: str
) -> None:
    """Two targets with two idle connections each are more than three: the one that was quiet longer loses its client."""
    clients = Clients(library, ClientOptions(idle_total=3))
    a, b = (target_of(receiver_url, host) for host in ("a.test", "b.test"))
    for target in (a, b):
        pinned = await clients.build(target, HERE)
        assert clients.borrow(target, HERE) is pinned
        clients.give_back(pinned)
        quiet_for(clients, 2.0)
        clients.give_back(pinned)
    assert len(clients) == 1
    assert clients.borrow(a, HERE) is None
    assert clients.borrow(b, HERE) is not None
    await clients.close()


@both_libraries
async def test_a_client_that_was_just_used_is_kept_over_the_bound(library: HttpLibrary, receiver_url: str) -> None:
    """Targets that are called all the time would only be connected to anew."""
    clients = Clients(library, ClientOptions(idle_total=0))
    targets = [target_of(receiver_url, host) for host in ("a.test", "b.test")]
    for target in targets:
        clients.give_back(await clients.build(target, HERE))
    assert len(clients) == 2
    assert all(clients.borrow(target, HERE) for target in targets)
    await clients.close()


@both_libraries
async def test_a_client_whose_connections_have_timed_out_is_kept(library: HttpLibrary, receiver_url: str) -> None:
    """Its pool is empty: nothing would be won by building it again."""
    clients = Clients(library, ClientOptions(idle_total=1, idle_timeout_ms=1_500))
    a, b = (target_of(receiver_url, host) for host in ("a.test", "b.test"))
    clients.give_back(await clients.build(a, HERE))
    quiet_for(clients, 2.0)
    clients.give_back(await clients.build(b, HERE))
    assert len(clients) == 2
    for target in (a, b):
        pinned = clients.borrow(target, HERE)
        assert pinned is not None
        clients.give_back(pinned)
    quiet_for(clients, 1.2)
    clients.give_back(await clients.build(target_of(receiver_url, "c.test"), HERE))
    assert clients.borrow(a, HERE) is None, "called again, its connection is open again and counts"
    await clients.close()
