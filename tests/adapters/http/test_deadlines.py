"""The hard deadline: it ends a call that its client does not end, and nobody else's."""

from __future__ import annotations

import asyncio

import pytest

from streamer.adapters.http.deadlines import Deadlines
from tests.support.waiting import until


async def test_call_without_end_times_out() -> None:
    """What never ends is cut off soon after its deadline, and its task is as before."""
    deadlines = Deadlines()
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with pytest.raises(TimeoutError), deadlines.within(0.1):
        await asyncio.Event().wait()
    assert 0.1 <= loop.time() - began_s < 2
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    deadlines.close()


async def test_only_overdue_calls_are_cut_off() -> None:
    """Of two calls the one with the later deadline goes on."""
    deadlines = Deadlines()
    go_on = asyncio.Event()

    async def call(seconds: float) -> str:
        with deadlines.within(seconds):
            await go_on.wait()
        return "ended"

    short, long = asyncio.create_task(call(0.05)), asyncio.create_task(call(60))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(short, 30)
    assert not long.done()
    go_on.set()
    assert await long == "ended"
    deadlines.close()


async def test_cancellation_from_outside_stays_one() -> None:
    """Who cancels the call sees a cancellation, no timeout."""
    deadlines = Deadlines()

    async def call() -> None:
        with deadlines.within(60):
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadlines.close()


async def test_errors_pass_through() -> None:
    """What the body raises in time is what comes out."""
    deadlines = Deadlines()
    with pytest.raises(KeyError), deadlines.within(60):
        raise KeyError("x")
    deadlines.close()


async def test_timer_rests_without_calls() -> None:
    """Nothing ticks once the last call has ended, and the next call starts the timer again."""
    deadlines = Deadlines()
    for _ in range(2):
        with pytest.raises(TimeoutError), deadlines.within(0.01):
            await asyncio.Event().wait()
        await until(lambda: not deadlines.ticking)
