"""The machine's clock and chance."""

from __future__ import annotations

import asyncio
import random
import time


class SystemClock:
    """The machine's wall and monotonic clock."""

    def now_ms(self) -> int:
        """Return the wall clock in epoch ms."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        """Return a clock in ms that never steps."""
        return time.monotonic_ns() / 1_000_000

    async def sleep_ms(self, delay_ms: float) -> None:
        """Wait ``delay_ms`` of monotonic time."""
        await asyncio.sleep(delay_ms / 1000)


class SystemEntropy:
    """Chance good enough for jitter."""

    def unit(self) -> float:
        """Return a number from [0, 1)."""
        return random.random()
