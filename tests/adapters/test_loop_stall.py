"""How long the event loop stands still (B16)."""

from __future__ import annotations

import asyncio
import time

from streamer.adapters.loop_stall import EVERY_S, LoopStall
from streamer.adapters.memory.meter import MemoryMeter
from tests.support.waiting import until

STALL_S = 1.0


def hold_up(span_s: float) -> None:
    """Keep the loop from its next turn, as work that never waits does."""
    until_s = time.monotonic() + span_s
    while time.monotonic() < until_s:
        pass


async def test_a_call_that_holds_up_the_loop_is_seen() -> None:
    """What is observed is the stall less what the timer would have slept anyway; never less than nothing."""
    meter = MemoryMeter()
    stall = LoopStall(meter)
    running = asyncio.create_task(stall.run())
    await until(lambda: stall.beats)
    hold_up(STALL_S)
    await until(lambda: stall.beats >= 2)
    running.cancel()
    await asyncio.wait([running])
    found = meter.observed("loop_stall_seconds")
    assert min(found) >= 0
    assert max(found) >= STALL_S - EVERY_S


async def test_a_loop_that_goes_round_is_seen_to() -> None:
    """Each beat is one turn; a clock that jumps ahead between two is a stall as long as the jump."""
    meter, ticks = MemoryMeter(), iter([0.0, EVERY_S, 10.0, 10.0 + EVERY_S + 5.0, *[99.0] * 1_000])
    stall = LoopStall(meter, lambda: next(ticks))
    running = asyncio.create_task(stall.run())
    await until(lambda: stall.beats >= 2)
    running.cancel()
    await asyncio.wait([running])
    assert meter.observed("loop_stall_seconds")[:2] == [0.0, 5.0]
