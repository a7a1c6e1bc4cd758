"""What the tests of Redis share: limits on a server, and reservations counted in spacings."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.redis.client import RedisOptions
from streamer.adapters.redis.shared_limits import RedisSharedLimits
from streamer.core.policy import SharedLimit
from streamer.core.rate import parse_rate
from streamer.ports import SharedLimits

#: One slot each minute: what a call takes is nothing beside it.
MINUTE_MS = 60_000
EACH_MINUTE = SharedLimit("rate_key:a", parse_rate("1/m"), 1)
#: Long enough for a loaded machine, where a test is not about Redis being away.
PATIENT_MS = 5_000
SHARE = 0.25
SECRET = "correct-horse"


@asynccontextmanager
async def limits_at(
    options: RedisOptions, *, timeout_ms: int = PATIENT_MS, meter: MemoryMeter | None = None
) -> AsyncIterator[RedisSharedLimits]:
    """Start limits on a server, and close them."""
    made = RedisSharedLimits(replace(options, timeout_ms=timeout_ms), meter or MemoryMeter(), fallback_share=SHARE)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def minutes(shared: SharedLimits, limit: SharedLimit = EACH_MINUTE) -> int | None:
    """Reserve, and return after how many whole minutes the slot lies."""
    now_ms = int(time.time() * 1000)
    slot_ms = await shared.reserve([limit], now_ms, 600 * MINUTE_MS)
    return None if slot_ms is None else round((slot_ms - now_ms) / MINUTE_MS)
