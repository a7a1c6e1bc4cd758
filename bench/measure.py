"""The ways to measure a cell: from a backlog, publishing and delivering at once, at a steady rate."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.cell import Cell
from bench.publish import hidden_backlog, open_loop, publish, spread_over, stamped
from bench.spread import spread
from bench.watch import Watch

Figures = dict[str, Any]
#: How far who publishes is ahead of what has arrived, and how much it writes at a time.
LEAD, BATCH = 2_000, 250
_EASED = 10
#: A commit interval, and then some: what follows the last call belongs to its cost.
_SETTLE_S = 1.0
_WITHIN_S = 300.0
_LOOK_S = 0.02


async def from_backlog(cell: Cell, tasks: int, within_s: float = _WITHIN_S) -> Figures:
    """Let workers that are ready find a whole backlog at one moment; its writing is not measured."""
    records = cell.requests(tasks)
    starts = await cell.result_ends()
    await cell.receiver.reset()
    async with hidden_backlog(cell.rig.hidden, cell.topic, records):
        watch = cell.watch()
    await cell.receiver.until(tasks, within_s)
    return await _concluded(cell, watch, starts, tasks)


async def at_once(
    cell: Cell, tasks: int, lead: int = LEAD, within_s: float = _WITHIN_S, eased: int = 0, gaps_after: int = 0
) -> Figures:
    """Publish and deliver at the same time; the publisher is never more than ``lead`` tasks ahead.

    The first ``eased`` tasks are written evenly over a second, and of the first ``gaps_after`` it is not told how long slots
    stood empty.
    """
    records = cell.requests(tasks)
    starts = await cell.result_ends()
    await cell.receiver.reset()
    watch, begun_ns = cell.watch(), time.monotonic_ns()
    for first in range(0, eased, _EASED):
        await publish(cell.rig.producer, cell.topic, records[first : first + _EASED])
        await asyncio.sleep(max(0.0, begun_ns / 1e9 + (first + _EASED) / eased - time.monotonic()))
    size = min(BATCH, max(1, lead // 2))
    for first in range(eased, tasks, size):
        while first + size - (arrived := (await cell.receiver.stats())["tasks"]) > lead:  # noqa: ASYNC110 - another process's count
            await asyncio.sleep(_LOOK_S)
        if 0 < gaps_after <= arrived:
            await cell.receiver.forget_gaps()
            gaps_after = 0
        await publish(cell.rig.producer, cell.topic, records[first : first + size])
    await cell.receiver.until(tasks, within_s)
    return await _concluded(cell, watch, starts, tasks, begun_ns)


async def steady(cell: Cell, per_s: float, seconds: float, within_s: float = _WITHIN_S) -> Figures:
    """Produce at a steady rate whatever comes of it; time from before the produce to the arrival, by the receiver's clock."""
    urls = spread_over(cell.receiver.urls, cell.conditions.seed)
    producer, size = cell.rig.producer, cell.conditions.body_bytes

    async def one(_: int) -> None:
        await producer.send_and_wait(cell.topic, stamped(next(urls), size))

    starts = await cell.result_ends()
    await cell.receiver.reset()
    watch = cell.watch()
    tasks = await open_loop(one, per_s, seconds)
    await cell.receiver.until(tasks, within_s)
    return await _concluded(cell, watch, starts, tasks) | {"asked_per_s": per_s}


async def _concluded(cell: Cell, watch: Watch, starts: Any, tasks: int, begun_ns: int | None = None) -> Figures:
    await asyncio.sleep(_SETTLE_S)
    figures = watch.used(tasks)
    stats = await cell.receiver.stats(every=True)
    took_s = (stats["last_ns"] - (begun_ns or stats["first_ns"])) / 1e9
    latencies, gaps = stats.pop("latencies_ns"), stats.pop("gaps_ns")
    figures |= {
        "cell": cell.told(),
        "tasks": tasks,
        "calls": stats["calls"],
        "beyond_one": stats["calls"] - tasks,
        "took_s": round(took_s, 3),
        "per_s": round(tasks / took_s, 1),
        "latency_ms": spread(ns / 1e6 for ns in latencies),
        "gap_ms": spread(ns / 1e6 for ns in gaps),
        "connections": stats["connections"],
        "most_in_flight": stats["most_in_flight"],
    }
    if all(name.startswith("parts") for name in cell.crew):
        return figures
    outcomes = await cell.outcomes(starts, tasks)
    return figures | outcomes.told() | {"duration_ms": spread(outcomes.durations_ms)}
