"""How long the event loop makes nobody's turn: while it stands still no answer is read and no deadline is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from streamer.ports import Meter

#: How often it is measured. One timer: too few to cost anything, enough to meet each stall that is longer.
EVERY_S = 0.25


class LoopStall:
    """Sleeps a little again and again, and observes how much later than asked it wakes.

    ``beats`` counts the turns that it got; whoever looks from another thread sees by it whether the loop goes round at all.
    """

    def __init__(self, meter: Meter, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.beats = 0
        self._meter = meter
        self._monotonic = monotonic

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            asked_at = self._monotonic()
            await asyncio.sleep(EVERY_S)
            late_s = self._monotonic() - asked_at - EVERY_S
            self.beats += 1
            self._meter.observe("loop_stall_seconds", max(0.0, late_s))
