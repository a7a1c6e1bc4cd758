"""The SharedLimits port (RULES 24): one suite over the limiter in memory and the one in a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.adapters.redis.client import RedisOptions
from streamer.adapters.redis.shared_limits import RedisSharedLimits
from streamer.core.policy import SharedLimit
from streamer.core.rate import parse_rate
from streamer.ports import SharedLimits
from tests.support.redis import HOST, running_redis

#: Rates of minutes, so that what a machine takes for a call is nothing beside them.
MINUTE_MS = 60_000
HORIZON_MS = 60 * MINUTE_MS
SLACK_MS = 5_000

Made = MemorySharedLimits | RedisSharedLimits


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def limits(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Made]:
    """Each implementation, empty."""
    if request.param == "memory":
        yield MemorySharedLimits()
        return
    async with running_redis(tmp_path) as server:
        meter = MemoryMeter()
        # A machine under load must not turn these into tests of the fallback.
        made = RedisSharedLimits(RedisOptions(((HOST, server.port),), timeout_ms=5_000), meter)
        await made.start()
        yield made
        if made.here:
            assert meter.counted("shared_limit_fallbacks") == 0, "these were tests of the fallback"
        await made.close()


def a_limit(key: str, rate: str = "1/m", burst: int = 1) -> SharedLimit:
    """Return a limit."""
    return SharedLimit(f"rate_key:{key}", parse_rate(rate), burst)


async def minutes(shared: SharedLimits, *limits: SharedLimit, horizon_ms: int = HORIZON_MS) -> int | None:
    """Reserve, and return after how many minutes the slot lies; it must lie on a whole one."""
    now_ms = int(time.time() * 1000)
    slot_ms = await shared.reserve(limits, now_ms, horizon_ms)
    if slot_ms is None:
        return None
    assert slot_ms >= now_ms
    whole = round((slot_ms - now_ms) / MINUTE_MS)
    assert abs(slot_ms - now_ms - whole * MINUTE_MS) < SLACK_MS
    return whole


async def test_a_burst_comes_at_once_and_then_a_slot_each_interval(limits: Made) -> None:
    """GCRA: after a rest the burst, then one spacing from slot to slot."""
    assert [await minutes(limits, a_limit("a", burst=3)) for _ in range(6)] == [0, 0, 0, 1, 2, 3]


async def test_keys_do_not_know_each_other(limits: Made) -> None:
    """What one key has used up is none of another's."""
    assert [await minutes(limits, a_limit(key)) for key in "aabba"] == [0, 1, 0, 1, 2]


async def test_a_slot_is_common_to_all_limits(limits: Made) -> None:
    """The limit that has to wait longest says when, and each key moves on from that slot."""
    slow, fast = a_limit("slow", "1/5m"), a_limit("fast")
    assert await minutes(limits, slow, fast) == 0
    assert await minutes(limits, slow, fast) == 5
    assert await minutes(limits, fast) == 6
    assert await minutes(limits, slow) == 10


async def test_nothing_is_taken_beyond_the_horizon(limits: Made) -> None:
    """A refusal leaves every key as it was, also those that had room."""
    tight, roomy = a_limit("tight", "1/10m"), a_limit("roomy")
    assert await minutes(limits, tight) == 0
    refused = [await minutes(limits, tight, roomy, horizon_ms=9 * MINUTE_MS) for _ in range(3)]
    assert refused == [None, None, None]
    assert await minutes(limits, roomy) == 0
    assert await minutes(limits, tight, horizon_ms=11 * MINUTE_MS) == 10


async def test_no_limits_mean_now(limits: Made) -> None:
    """Who has no limit across domains waits for none."""
    assert await minutes(limits) == 0


async def test_calls_at_once_get_a_slot_each(limits: Made) -> None:
    """Of many that ask together no two get the same slot, and none is left out."""
    slots = await asyncio.gather(*(minutes(limits, a_limit("a", "10/10m"), a_limit("b")) for _ in range(400)))
    assert sorted(slot for slot in slots if slot is not None) == list(range(61))
    assert slots.count(None) == 400 - 61


async def test_another_rate_for_a_key_holds_from_its_next_slot(limits: Made) -> None:
    """A limit that was changed while slots are taken goes on from where they end."""
    assert [await minutes(limits, a_limit("a", "1/10m")) for _ in range(2)] == [0, 10]
    assert [await minutes(limits, a_limit("a", "1/m")) for _ in range(2)] == [20, 21]


async def test_a_cancelled_caller_takes_nobody_along(limits: Made) -> None:
    """Who gives up waiting leaves the others their answers."""
    calls = [asyncio.create_task(minutes(limits, a_limit(key))) for key in "abcd"]
    await asyncio.sleep(0)
    calls[1].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answers[0], *answers[2:]] == [0, 0, 0]
    assert await minutes(limits, a_limit("e")) == 0


async def test_a_call_during_the_close_is_answered(limits: Made) -> None:
    """A delivery that drains is answered to the end."""
    early = asyncio.create_task(minutes(limits, a_limit("a")))
    await asyncio.sleep(0)
    late = asyncio.create_task(minutes(limits, a_limit("b")))
    await limits.close()
    assert list(await asyncio.wait_for(asyncio.gather(early, late), SLACK_MS / 1000)) == [0, 0]
