"""The script in Redis does the core's arithmetic, to the µs, and leaves nothing behind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from redis.asyncio import Redis

from streamer.adapters.redis.script import BEYOND, LUA, Ask, arguments
from streamer.core.reservation import STEP_US, KeyClock, Pace, slot_us, taken
from tests.support.redis import HOST, RedisServer, running_redis

pytestmark = pytest.mark.redis

PACES = {"a": Pace(100_000, 1), "b": Pace(333_334, 5), "c": Pace(1, 1), "d": Pace(86_400_000_000, 100)}
HORIZONS_US = (0, 1_000_000, 600_000_000)


def random_asks(chance: random.Random) -> list[Ask]:
    """Return a batch; its first ask always takes a slot of a key of its own, which tells the server's time."""
    asks = [Ask([("clock", Pace(1, 1_000_000))], 10_000_000)]
    for _ in range(chance.randint(1, 30)):
        keys = chance.sample(sorted(PACES), chance.randint(1, 3))
        asks.append(Ask([(key, PACES[key]) for key in keys], chance.choice(HORIZONS_US)))
    return asks


async def run(client: Redis, asks: list[Ask]) -> list[int]:
    """Run one batch."""
    keys, numbers = arguments(asks, "p:")
    waits: list[int] = await client.eval(LUA, len(keys), *keys, *numbers)
    return waits


async def clock_of(client: Redis, key: str) -> KeyClock:
    """Return what Redis holds of a key."""
    kept = await client.get(f"p:{key}")
    return KeyClock(*map(int, kept.decode().split(":"))) if isinstance(kept, bytes) else KeyClock()


def by_core(asks: list[Ask], clocks: dict[str, KeyClock], now_us: int) -> list[int]:
    """Do by the core what the script does, moving the clocks."""
    waits = []
    for ask in asks:
        paces = [pace for _, pace in ask.paces]
        tats = [clocks.get(key, KeyClock()).tat_at(now_us) for key, _ in ask.paces]
        slot = slot_us(paces, tats, now_us)
        if slot > now_us + ask.horizon_us:
            waits.append(BEYOND)
            continue
        waits.append(slot - now_us)
        for (key, pace), tat in zip(ask.paces, tats, strict=True):
            clocks[key] = taken(pace, tat, slot, now_us)
    return waits


@pytest.mark.parametrize("seed", range(20))
async def test_script_and_core_agree(tmp_path: Path, seed: int) -> None:
    """Batches of any reservations give the waits and the arrival times that the core gives."""
    chance = random.Random(seed)
    clocks: dict[str, KeyClock] = {}
    async with running_redis(tmp_path) as server, Redis(host=HOST, port=server.port) as client:
        for _ in range(10):
            asks = random_asks(chance)
            waits = await run(client, asks)
            now_us = (await clock_of(client, "clock")).at_us
            assert waits == by_core(asks, clocks, now_us)
            for key in clocks.keys() & PACES.keys():
                kept = await clock_of(client, key)
                assert kept == clocks[key] or (kept == KeyClock() and clocks[key].tat_us + STEP_US <= now_us + 1_000)


async def test_a_clock_set_back_takes_the_reservations_along(tmp_path: Path) -> None:
    """After a change of master the time may be an hour behind; nobody waits for that hour."""
    async with running_redis(tmp_path) as server, Redis(host=HOST, port=server.port) as client:
        hour_us = 3_600_000_000
        seconds, micros = await client.time()
        ahead_us = seconds * 1_000_000 + micros + hour_us
        await client.set("p:a", f"{ahead_us + 5_000_000}:{ahead_us}")
        (wait_us,) = await run(client, [Ask([("a", PACES["a"])], hour_us)])
        assert 4_900_000 - 1_000_000 <= wait_us <= 5_000_000


@pytest.mark.parametrize("junk", [("SET", "p:a", "junk"), ("SET", "p:a", ""), ("SADD", "p:a", "x")])
async def test_what_is_no_clock_is_written_over(tmp_path: Path, junk: tuple[str, ...]) -> None:
    """Another program's value under our prefix must not stop a limit for good."""
    async with running_redis(tmp_path) as server, Redis(host=HOST, port=server.port) as client:
        await server.tell(*junk)
        assert await run(client, [Ask([("a", PACES["a"])], 0)]) == [0]
        assert (await clock_of(client, "a")).at_us > 0


async def test_an_idle_key_goes_by_itself(tmp_path: Path) -> None:
    """Each key expires soon after its arrival time; a Redis that nobody uses is empty."""
    async with running_redis(tmp_path) as server, Redis(host=HOST, port=server.port) as client:
        await run(client, [Ask([("a", Pace(2_000_000, 1))], 0)])
        assert 2_000 <= await client.pttl("p:a") <= 3_000


async def test_a_refused_batch_writes_nothing(tmp_path: Path) -> None:
    """Where all lies beyond the horizon no key is touched."""
    async with running_redis(tmp_path) as server, Redis(host=HOST, port=server.port) as client:
        ask = Ask([("a", PACES["d"]), ("b", PACES["b"])], -1)
        assert await run(client, [ask]) == [BEYOND]
        assert await written(server) == 0


async def written(server: RedisServer) -> object:
    """Count the keys of a server."""
    return await server.tell("DBSIZE")
