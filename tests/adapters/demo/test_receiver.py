"""The demo receiver: each path does what its list says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from streamer.adapters.demo.exchange import Arrival
from streamer.adapters.demo.receiver import PATHS, DemoReceiver


class Told:
    """What the receiver told of its arrivals."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int | None]] = []

    def __call__(self, arrival: Arrival, status: int | None) -> None:
        self.calls.append((arrival.path, status))


@pytest.fixture
def told() -> Told:
    """An empty list of calls."""
    return Told()


@pytest.fixture
async def client(told: Told) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a running demo receiver."""
    demo = DemoReceiver(seed=7, on_arrival=told)
    url = await demo.start()
    async with httpx.AsyncClient(base_url=url, trust_env=False) as made:
        yield made
    await demo.stop()


async def test_ok_is_ok(client: httpx.AsyncClient, told: Told) -> None:
    """The healthy target answers 200, and the call is told."""
    assert (await client.post("/ok", content=b"x")).status_code == 200
    assert told.calls == [("/ok", 200)]


async def test_flaky_fails_sometimes_and_as_its_seed_says(client: httpx.AsyncClient) -> None:
    """Some calls get 500, and the same seed gives the same ones."""
    first = [(await client.get("/flaky")).status_code for _ in range(40)]
    assert set(first) == {200, 500}
    again = DemoReceiver(seed=7)
    async with httpx.AsyncClient(base_url=await again.start(), trust_env=False) as other:
        assert [(await other.get("/flaky")).status_code for _ in range(40)] == first
    await again.stop()


async def test_down_drops_the_connection(client: httpx.AsyncClient, told: Told) -> None:
    """The dead target answers nothing."""
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/down")
    assert told.calls == [("/down", None)]


@pytest.mark.slow
async def test_slow_answers_after_a_while(client: httpx.AsyncClient) -> None:
    """The slow target takes two seconds, and answers."""
    answer = await client.get("/slow")
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 1.9


async def test_stats_count_calls_by_path_and_status(client: httpx.AsyncClient) -> None:
    """Every call to a known path is counted; unknown ones are not, so that counts stay bounded."""
    await client.get("/ok?x=1")
    await client.get("/ok")
    assert (await client.get("/elsewhere")).status_code == 404
    assert (await client.get("/stats")).json() == {"/ok 200": 2}


def test_paths_are_listed() -> None:
    """The list that people read names every target once."""
    assert [path.path for path in PATHS] == ["/ok", "/flaky", "/slow", "/down", "/stats"]
