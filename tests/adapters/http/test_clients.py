"""Clients: one per target, bounded, pinned, closed only when their last call has ended."""

from __future__ import annotations

import asyncio

from pyreqwest.exceptions import ClientClosedError

from streamer.adapters.http.client_builder import ClientOptions
from streamer.adapters.http.clients import Clients, Pinned
from streamer.adapters.http.target import Target

HERE = "127.0.0.1"


async def called(pinned: Pinned, url: str) -> bool:
    """Tell whether a client still makes calls."""
    try:
        async with pinned.client.get(url).build_streamed() as answer:
            return answer.status == 200
    except ClientClosedError:
        return False


def target_of(url: str, host: str) -> Target:
    """Return a target on the receiver's port under another name."""
    return Target("http", host, int(url.rpartition(":")[2]))


async def test_side_by_side_calls_build_once(receiver_url: str) -> None:
    """Twenty first calls to a target share one client."""
    clients = Clients(ClientOptions())
    target = target_of(receiver_url, "a.test")
    pinned = await asyncio.gather(*(clients.build(target, HERE) for _ in range(20)))
    assert len({id(p) for p in pinned}) == 1
    assert pinned[0].calls == 20
    await clients.close()


async def test_pinned_client_goes_where_it_was_told(receiver_url: str) -> None:
    """The client reaches the judged address under the URL's name, which no resolver knows."""
    clients = Clients(ClientOptions())
    for host in ("a.test", "b.test.", "xn--bcher-kva.test"):
        target = target_of(receiver_url, host)
        assert await called(await clients.build(target, HERE), f"http://{host}:{target.port}/")
    await clients.close()


async def test_client_of_another_address_is_not_borrowed(receiver_url: str) -> None:
    """Once a name leads elsewhere, its old client takes no new call and closes after its last."""
    clients = Clients(ClientOptions())
    target = target_of(receiver_url, "a.test")
    url = f"http://a.test:{target.port}/"
    old = await clients.build(target, HERE)
    assert clients.borrow(target, "127.0.0.2") is None
    new = await clients.build(target, "127.0.0.2")
    assert (len(clients), old.retired, new.retired) == (1, True, False)
    assert await called(old, url), "a call in flight goes on"
    clients.give_back(old)
    await asyncio.sleep(0)
    assert not await called(old, url)
    await clients.close()


async def test_full_cache_evicts_the_least_used(receiver_url: str) -> None:
    """The client that was not used for longest goes; while it has a call it is not closed."""
    clients = Clients(ClientOptions(), limit=2)
    a, b, c = (target_of(receiver_url, host) for host in ("a.test", "b.test", "c.test"))
    first = await clients.build(a, HERE)
    second = await clients.build(b, HERE)
    clients.give_back(second)
    assert clients.borrow(a, HERE) is first
    await clients.build(c, HERE)
    assert len(clients) == 2
    assert clients.borrow(b, HERE) is None
    await asyncio.sleep(0)
    assert not await called(second, f"http://b.test:{b.port}/")
    assert await called(first, f"http://a.test:{a.port}/")
    await clients.close()
    assert not await called(first, f"http://a.test:{a.port}/")
    assert len(clients) == 0


def quiet_for(clients: Clients, seconds: float) -> None:
    """Let the quiet clients have been quiet for longer, so that no test has to wait for it."""
    for target in clients._quiet:
        clients._quiet[target] -= seconds


async def test_too_many_idle_connections_close_the_clients_that_were_quiet_longest(receiver_url: str) -> None:
    """Two targets with two idle connections each are more than three: the one that was quiet longer loses its client."""
    clients = Clients(ClientOptions(idle_total=3))
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


async def test_a_client_that_was_just_used_is_kept_over_the_bound(receiver_url: str) -> None:
    """Targets that are called all the time would only be connected to anew."""
    clients = Clients(ClientOptions(idle_total=0))
    targets = [target_of(receiver_url, host) for host in ("a.test", "b.test")]
    for target in targets:
        clients.give_back(await clients.build(target, HERE))
    assert len(clients) == 2
    assert all(clients.borrow(target, HERE) for target in targets)
    await clients.close()


async def test_a_client_whose_connections_have_timed_out_is_kept(receiver_url: str) -> None:
    """Its pool is empty: nothing would be won by building it again."""
    clients = Clients(ClientOptions(idle_total=1, idle_timeout_ms=1_500))
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
