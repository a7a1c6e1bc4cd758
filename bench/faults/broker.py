"""Cases in which the only broker dies (RELIABILITY §7 B)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from bench.faults.case import Case, Finding, Scale
from bench.faults.cluster import three_brokers
from bench.faults.field import Field, under_load
from bench.faults.findings import found, resumed_s
from bench.faults.ground import Ground
from bench.faults.load import Load

_RESUME_S = 30.0
_DOWN_S = 10.0


async def broker_killed(ground: Ground, scale: Scale) -> Finding:
    """Kill the only broker, and start it again on the same disk after 10 s; nobody touches the workers."""
    rounds = 10 if scale is Scale.FULL else 1
    back_at_ms: list[int] = []

    async def harm(field: Field) -> None:
        for _ in range(rounds):
            await asyncio.sleep(10)
            field.note("kill -9 of the broker", "broker")
            await asyncio.to_thread(ground.broker.kill)
            await asyncio.sleep(_DOWN_S)
            await asyncio.to_thread(ground.broker.start)
            back_at_ms.append(time.time_ns() // 1_000_000)
            await asyncio.sleep(15)

    outcome = await under_load(ground, Load(rounds * 45.0), harm)
    slowest_s = max(resumed_s(outcome.field.results, at_ms) for at_ms in back_at_ms)
    return found(
        outcome,
        applied=len(back_at_ms) == rounds,
        holds=slowest_s < _RESUME_S and not outcome.field.by_themselves,
        more=[f"{rounds} kills of the broker", f"all partitions go on within {slowest_s:.1f} s"],
    )


async def leaders_killed(ground: Ground, scale: Scale) -> Finding:
    """Kill one of three brokers after the other; then two at once, so that nothing can be acknowledged for a while."""
    rounds, without_s = (10, 60.0) if scale is Scale.FULL else (1, 8.0)
    back_at_ms: list[int] = []
    async with three_brokers(ground.directory) as cluster:

        async def harm(field: Field) -> None:
            for number in range(rounds):
                await asyncio.sleep(8)
                field.note("kill -9 of a broker", str(number % 3))
                await cluster.kill(number % 3)
                await asyncio.sleep(_DOWN_S)
                await cluster.start(number % 3)
                back_at_ms.append(time.time_ns() // 1_000_000)
            await asyncio.sleep(8)
            field.note("kill -9 of two brokers", "0 1")
            await asyncio.gather(cluster.kill(0), cluster.kill(1))
            await asyncio.sleep(without_s)
            await cluster.start(0, 1)
            back_at_ms.append(time.time_ns() // 1_000_000)
            await asyncio.sleep(10)

        whole = replace(ground, cluster=cluster.bootstrap, replication=3)
        load = Load(rounds * 25.0 + without_s + 35.0, rate_per_s=50, settings={"topics.replication": 3})
        outcome = await under_load(whole, load, harm)
    slowest_s = max(resumed_s(outcome.field.results, at_ms) for at_ms in back_at_ms)
    return found(
        outcome,
        applied=len(back_at_ms) == rounds + 1,
        holds=slowest_s < _RESUME_S and not outcome.field.by_themselves,
        more=[f"{rounds} of one, one of two", f"all partitions go on within {slowest_s:.1f} s"],
    )


BROKER = (
    Case(
        "B4",
        "kill -9 of the only broker, back on its disk after 10 s",
        "no anomaly, no worker ends, goes on within 30 s",
        broker_killed,
    ),
    Case(
        "B5",
        "of three brokers (RF 3, min ISR 2) kill -9 of each in turn, then of two",
        "no anomaly, no worker ends, goes on within 30 s",
        leaders_killed,
        broker=False,
    ),
)
