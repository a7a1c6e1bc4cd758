"""Time that passes only when it is told to, for tests and simulations."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

#: How often the loop is let round before all that can run now counts as having run. A bound, so that a run repeats exactly.
_ROUNDS = 25


class VirtualClock:
    """Wall and monotonic clock in one; sleepers wake in the order of their times, equal ones in the order they lay down.

    Whoever advances time waits at each instant until those who woke have gone as far as they can, so that a run does not
    depend on the machine.
    """

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._start_ms = now_ms
        self._passed_ms = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._lain_down = 0

    def now_ms(self) -> int:
        """Return the wall clock in epoch ms."""
        return self._start_ms + int(self._passed_ms)

    def monotonic_ms(self) -> float:
        """Return the ms that have passed."""
        return self._passed_ms

    async def sleep_ms(self, delay_ms: float) -> None:
        """Wait until time has been advanced by ``delay_ms``."""
        if delay_ms <= 0:
            await asyncio.sleep(0)
            return
        waker = asyncio.get_running_loop().create_future()
        self._lain_down += 1
        heapq.heappush(self._sleepers, (self._passed_ms + delay_ms, self._lain_down, waker))
        await waker

    async def settle(self) -> None:
        """Let everything run that can run without time passing."""
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)

    async def advance(self, span_ms: float) -> None:
        """Let ``span_ms`` pass, waking each sleeper at its instant."""
        end_ms = self._passed_ms + span_ms
        await self.settle()
        while (next_ms := self._next_ms()) is not None and next_ms <= end_ms:
            await self._jump(next_ms)
        self._passed_ms = end_ms
        await self.settle()

    async def until(self, condition: Callable[[], object], within_ms: float = 86_400_000) -> None:
        """Let time pass from sleeper to sleeper until ``condition()`` is true; TimeoutError when it never is."""
        end_ms = self._passed_ms + within_ms
        await self.settle()
        while not condition():
            next_ms = self._next_ms()
            if next_ms is None or next_ms > end_ms:
                raise TimeoutError(f"nothing that happens within {within_ms} ms brings the condition about")
            await self._jump(next_ms)

    async def _jump(self, to_ms: float) -> None:
        self._passed_ms = to_ms
        while self._next_ms() == to_ms:
            heapq.heappop(self._sleepers)[2].set_result(None)
        await self.settle()

    def _next_ms(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():
            # Its sleeper was cancelled.
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None
