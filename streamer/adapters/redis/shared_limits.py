"""Rates across domains, kept in Redis for all processes; in memory, as a share of each, while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.adapters.redis.client import RedisOptions, connect
from streamer.adapters.redis.presence import Presence
from streamer.adapters.redis.script import BEYOND, LUA, Ask, arguments
from streamer.core.policy import SharedLimit
from streamer.core.reservation import Pace, pace_of
from streamer.ports import Meter

#: Reservations in one call: Redis does nothing else meanwhile, and so many take it about a ms.
_BATCH = 256
#: The least time from call to call. A call costs us what ten reservations in it do, so a few are worth a short wait.
_PAUSE_S = 0.002
#: What a look at Redis takes a slot of: only a write shows that it takes writes.
_PROBE = Ask((("probe", Pace(1, 1)),), 1_000_000)

_Asked = list[tuple[Ask, asyncio.Future[int]]]


class RedisSharedLimits:
    """Implements SharedLimits. One call is under way at a time; what is asked meanwhile goes with the next.

    Each call ends within the timeout, and the first that fails answers all who wait by the fallback, so nobody waits for a
    Redis that is away. It is not made again: its slots may have been taken, and are then left unused.
    """

    def __init__(
        self, options: RedisOptions, meter: Meter, *, prefix: str = "streamer:limit:", fallback_share: float = 0.25
    ) -> None:
        self._timeout_s = options.timeout_ms / 1000
        # Sentinels are asked one after the other, and each that hangs takes its time.
        self._look_s = self._timeout_s * (2 + len(options.hosts))
        self._prefix = prefix
        self._meter = meter
        self._connected = connect(options)
        self._script = self._connected.client.register_script(LUA)
        self._fallback = MemorySharedLimits(fallback_share)
        meanwhile = f"shared limits are kept in memory, at {fallback_share:g} of each rate, until it is back"
        self._presence = Presence(self._look, options.name, meanwhile)
        self._waiting: _Asked = []
        self._flushing: asyncio.Task[None] | None = None
        self._called_s = 0.0

    @property
    def here(self) -> bool:
        """Whether Redis answers, as far as is known."""
        return self._presence.here

    async def start(self) -> None:
        """Look whether Redis is there; one that is away is told in the log, and holds nothing up."""
        await self._presence.check()

    async def reserve(self, limits: Sequence[SharedLimit], now_ms: int, horizon_ms: int) -> int | None:
        """Take the next slot that all the limits have in common; None when it lies beyond the horizon.

        The wait is counted from the answer on, so that a slot is never early: it may lie beyond the horizon by as much
        as Redis took to answer.
        """
        if not limits:
            return now_ms
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        wait_us = await self._ask(limits, horizon_ms) if self._presence.here else None
        passed_us = int((loop.time() - asked_s) * 1_000_000)
        if wait_us is None:
            self._meter.count("shared_limit_fallbacks")
            return await self._fallback.reserve(limits, now_ms + passed_us // 1000, horizon_ms)
        return None if wait_us == BEYOND else now_ms - (-(wait_us + passed_us) // 1000)

    async def close(self) -> None:
        """Close the connections; who still waits, or comes later, is answered by the fallback."""
        await self._presence.close()
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait([self._flushing])
        # A task that is cancelled before its first step never comes to its end.
        self._give_up(self._waiting)
        await self._connected.close()

    async def _ask(self, limits: Sequence[SharedLimit], horizon_ms: int) -> int | None:
        """Return the wait, BEYOND, or None when Redis is away."""
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        ask = Ask([(limit.key, pace_of(limit)) for limit in limits], horizon_ms * 1000)
        self._waiting.append((ask, answer))
        if self._flushing is None:
            # The task begins after all that can run now has run, so that what asks together goes together.
            self._flushing = asyncio.create_task(self._flush())
        try:
            return await answer
        except _Away:
            return None

    async def _flush(self) -> None:
        batch: _Asked = []
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(self._called_s + _PAUSE_S - loop.time())
                self._called_s = loop.time()
                # Who has gone takes no slot.
                asking = [asked for asked in self._waiting if not asked[1].done()]
                batch, self._waiting = asking[:_BATCH], asking[_BATCH:]
                if not batch:
                    break
                waits = await self._call([ask for ask, _ in batch], self._timeout_s)
                for (_, answer), wait_us in zip(batch, waits, strict=True):
                    if not answer.done():
                        answer.set_result(wait_us)
        except Exception as error:
            # Whatever it is: an answer that nobody gives would keep its delivery for ever.
            self._presence.left(error)
        finally:
            self._flushing = None
            self._give_up([*batch, *self._waiting])

    def _give_up(self, asked: _Asked) -> None:
        for _, answer in asked:
            if not answer.done():
                answer.set_exception(_Away())
        self._waiting = []

    async def _call(self, asks: Sequence[Ask], within_s: float) -> list[int]:
        keys, numbers = arguments(asks, self._prefix)
        async with asyncio.timeout(within_s):
            waits: list[int] = await self._script(keys, numbers)
        return waits

    async def _look(self) -> None:
        # Connect anew: the name may lead elsewhere by now, or the master may have changed.
        await self._connected.client.connection_pool.disconnect()
        await self._call([_PROBE], self._look_s)


class _Away(Exception):
    """Redis did not answer."""
