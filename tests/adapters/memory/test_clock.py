"""The virtual clock: who wakes when, and in which order."""

from __future__ import annotations

import asyncio

import pytest

from streamer.adapters.memory.clock import VirtualClock


async def test_sleepers_wake_at_their_instants_in_order() -> None:
    """Each sleeper sees its own instant; equal ones wake in the order in which they lay down."""
    clock, woken = VirtualClock(1_000), []

    async def sleeper(name: str, delay_ms: float) -> None:
        await clock.sleep_ms(delay_ms)
        woken.append((name, clock.now_ms(), clock.monotonic_ms()))

    async with asyncio.TaskGroup() as group:
        for name, delay_ms in (("late", 30), ("first", 10), ("second", 10), ("now", 0)):
            group.create_task(sleeper(name, delay_ms))
        await clock.advance(30)
    assert woken == [("now", 1_000, 0), ("first", 1_010, 10), ("second", 1_010, 10), ("late", 1_030, 30)]


async def test_who_sleeps_again_wakes_within_the_same_span() -> None:
    """A loop of short sleeps runs as often as it would in real time."""
    clock, turns = VirtualClock(0), []

    async def loop() -> None:
        while True:
            await clock.sleep_ms(10)
            turns.append(clock.now_ms())

    task = asyncio.create_task(loop())
    await clock.advance(45)
    task.cancel()
    assert turns == [10, 20, 30, 40]
    assert clock.now_ms() == 45


async def test_cancelled_sleeper_is_passed_over() -> None:
    """Time does not stop at an instant for which nobody waits any more."""
    clock = VirtualClock(0)
    task = asyncio.create_task(clock.sleep_ms(10))
    await clock.settle()
    task.cancel()
    await clock.advance(20)
    assert (clock.now_ms(), task.cancelled()) == (20, True)


async def test_until_stops_at_the_instant_that_brings_the_condition() -> None:
    """A wait for a condition jumps from sleeper to sleeper, and says when it can never come true."""
    clock = VirtualClock(0)
    tasks = [asyncio.create_task(clock.sleep_ms(delay_ms)) for delay_ms in (5_000, 9_000)]
    await clock.until(tasks[0].done)
    assert (clock.now_ms(), tasks[1].done()) == (5_000, False)
    with pytest.raises(TimeoutError, match="100 ms"):
        await clock.until(tasks[1].done, within_ms=100)
    await clock.until(tasks[1].done)
    with pytest.raises(TimeoutError):
        await clock.until(lambda: False)
