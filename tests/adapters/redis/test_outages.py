"""Redis that goes, hangs, refuses or comes back empty: nobody waits for it, and it is used again once it is there."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.redis.client import RedisOptions
from streamer.adapters.redis.shared_limits import RedisSharedLimits
from tests.adapters.redis.support import PATIENT_MS, SECRET, SHARE, limits_at, minutes
from tests.support.redis import HOST, RedisServer, running_redis
from tests.support.waiting import until

pytestmark = pytest.mark.redis

#: For the test in which it passes; elsewhere Redis refuses, which takes no time.
TIMEOUT_MS = 500
#: A quarter of one a minute, as the fallback allows it.
FALLBACK_MINUTES = [0, round(1 / SHARE), round(2 / SHARE)]


async def back(limits: RedisSharedLimits) -> None:
    """Wait until Redis is used again."""
    await until(lambda: limits.here)


async def fallback_begins(limits: RedisSharedLimits) -> None:
    """Find the fallback's slots, and at once: no call waits out the timeout."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert [await minutes(limits) for _ in range(3)] == FALLBACK_MINUTES
    assert loop.time() - began_s < PATIENT_MS / 1000 / 2


async def test_a_worker_starts_without_redis(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Refused at the start: one warning that says what holds meanwhile, the fallback at once, and Redis when it comes."""
    server, meter = RedisServer(tmp_path), MemoryMeter()
    async with limits_at(server.options, meter=meter) as limits:
        assert not limits.here
        await fallback_begins(limits)
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert f"Redis at {HOST}:{server.port} is away (ConnectionError" in record.message
        assert "kept in memory, at 0.25 of each rate" in record.message
        assert meter.counted("shared_limit_fallbacks") == 3
        try:
            await server.start()
            await back(limits)
            assert [await minutes(limits) for _ in range(2)] == [0, 1]
        finally:
            server.kill()
        assert [record.message.split("(")[0].split("after")[0] for record in caplog.records] == [
            f"Redis at {HOST}:{server.port} is away ",
            f"Redis at {HOST}:{server.port} is back ",
        ]
        assert meter.counted("shared_limit_fallbacks") == 3


async def test_redis_that_is_killed_and_comes_back_empty(tmp_path: Path) -> None:
    """Killed under a reservation: the fallback; started again with nothing: on from now, as if nobody had reserved."""
    async with running_redis(tmp_path) as server, limits_at(server.options) as limits:
        assert [await minutes(limits) for _ in range(3)] == [0, 1, 2]
        server.kill()
        await fallback_begins(limits)
        await server.start()
        await back(limits)
        assert [await minutes(limits) for _ in range(2)] == [0, 1]


async def test_a_restart_between_two_reservations_is_not_noticed(tmp_path: Path) -> None:
    """A connection that ended while nobody used it is made anew, and the script loaded again."""
    meter = MemoryMeter()
    async with running_redis(tmp_path) as server, limits_at(server.options, meter=meter) as limits:
        assert await minutes(limits) == 0
        server.kill()
        await server.start()
        assert await minutes(limits) == 0
    assert meter.counted("shared_limit_fallbacks") == 0


async def test_redis_that_hangs(tmp_path: Path) -> None:
    """Frozen: all that asked fall back after one timeout, later ones at once; thawed, the slots of before still count."""
    async with running_redis(tmp_path) as server, limits_at(server.options, timeout_ms=TIMEOUT_MS) as limits:
        assert [await minutes(limits) for _ in range(2)] == [0, 1]
        server.freeze()
        try:
            # More than go in one call.
            asking = asyncio.gather(*(minutes(limits) for _ in range(600)))
            answers = await asyncio.wait_for(asking, 2 * TIMEOUT_MS / 1000)
            assert sorted(slot for slot in answers if slot is not None)[:3] == FALLBACK_MINUTES
            await asyncio.wait_for(minutes(limits), TIMEOUT_MS / 1000 / 5)
        finally:
            server.thaw()
        await back(limits)
        slot = await minutes(limits)
        assert slot is not None
        # More when Redis, going on, has carried out the call that was given up.
        assert slot >= 2


@pytest.mark.parametrize(
    ("refuse", "accept"),
    [
        (("REPLICAOF", HOST, 1), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0)),
    ],
    ids=["replica", "full"],
)
async def test_redis_that_takes_no_writes(
    tmp_path: Path, refuse: tuple[str | int, ...], accept: tuple[str | int, ...]
) -> None:
    """A replica, or one that is out of memory, is away as long as it is that; what it answers to PING counts nothing."""
    async with running_redis(tmp_path) as server, limits_at(server.options) as limits:
        assert await minutes(limits) == 0
        await server.tell(*refuse)
        await fallback_begins(limits)
        assert not limits.here
        await server.tell(*accept)
        await back(limits)
        assert await minutes(limits) in {0, 1}


async def test_closing_while_redis_is_away(tmp_path: Path) -> None:
    """Nothing goes on looking, and who still asks is answered."""
    async with limits_at(RedisServer(tmp_path).options) as limits:
        tasks = asyncio.all_tasks()
        await limits.close()
        assert len(asyncio.all_tasks()) == len(tasks) - 1
        assert [await minutes(limits) for _ in range(3)] == FALLBACK_MINUTES


def sentinel_of(master: RedisServer) -> str:
    """Return the configuration of the one Sentinel that has to agree with nobody."""
    return (
        f"requirepass {SECRET}\n"
        f"sentinel monitor mymaster {HOST} {master.port} 1\n"
        "sentinel down-after-milliseconds mymaster 200\n"
        "sentinel failover-timeout mymaster 1000\n"
    )


@pytest.mark.slow
async def test_sentinels_lead_to_the_next_master(tmp_path: Path) -> None:
    """The master dies, the Sentinel makes the replica master: the fallback meanwhile, then its slots, which were replicated."""
    async with running_redis(tmp_path) as master, running_redis(tmp_path, "--repl-diskless-sync-delay", "0") as replica:
        await replica.tell("REPLICAOF", HOST, master.port)
        async with running_redis(tmp_path, sentinel=sentinel_of(master)) as sentinel:
            # The first Sentinel that is named is none: the next one is asked.
            options = RedisOptions(((HOST, 1), (HOST, sentinel.port)), master="mymaster", sentinel_password=SECRET)
            async with limits_at(options) as limits:
                assert [await minutes(limits) for _ in range(3)] == [0, 1, 2]
                assert await master.tell("WAIT", 1, 5_000) == 1
                await until(lambda: f"+slave slave {HOST}:{replica.port}" in sentinel.said, 15)
                master.kill()
                await fallback_begins(limits)
                await until(lambda: limits.here, 20)
                assert (await replica.tell("ROLE"))[0] == "master"
                assert await minutes(limits) == 3
