"""What bounds us: the receiver by wrk, the broker by Kafka's own perf test, and the parts alone, without state.

``python -m bench.limits`` prints them; `make bench` measures them in the same run as what is compared to them.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import time
from typing import Any

from bench.backlog import warm_up
from bench.cell import Conditions, Crew, cell, installation, workers
from bench.machine import cpu
from bench.measure import Figures, at_once, from_backlog
from bench.parts import little_parts, parts, post_alone_us
from bench.perf_tool import producer_perf
from bench.rig import BODY_BYTES, Rig
from bench.run import Part, alone, parser, say
from bench.tables import deliveries, plain
from bench.target import Receiver, receiving
from bench.turns import in_turns

_WRK_S = 3
WORKERS, PARTS, LITTLE = "workers", "parts alone", "parts alone, as little as can be"
COMPARED: dict[str, Crew] = {WORKERS: workers, PARTS: parts, LITTLE: little_parts}


async def measure(rig: Rig, args: argparse.Namespace) -> dict[str, Part]:
    """Measure the limits of each part, then of all together."""
    say("the receiver and the client alone, and kafka's producer perf test")
    async with receiving(1) as receiver:
        by_wrk = await _wrk(receiver)
        post_us = await post_alone_us(receiver.urls[0])
    async with installation(rig, Conditions()) as (place, _):
        kafka = await producer_perf(rig, place.topics.requests, args.records, BODY_BYTES + 100)
    rows: dict[str, Figures] = {}
    async with cell(rig, Conditions(seed=args.seed), parts) as made:
        say(f"the parts alone, 1 process: {args.tasks} tasks")
        rows["parts alone, 1 process, backlog"] = await from_backlog(made, args.tasks)
        rows["parts alone, 1 process, at once"] = await at_once(made, args.tasks)
    turns, tasks = args.turns, args.tasks // args.turns
    say(f"2 workers and the parts alone in 2 processes: {turns} turns of {tasks} tasks each")
    conditions = Conditions(workers=2, seed=args.seed)
    compared = await in_turns(rig, COMPARED, conditions, turns=turns, tasks=tasks, warm_tasks=args.warm_tasks)
    alone_table = plain(
        "each by itself",
        ("", "/s", "µs of its CPU", "by"),
        [
            ("receiver", by_wrk["per_s"], by_wrk["cpu_us"], by_wrk["by"]),
            ("POST by the client of a worker", None, post_us, "50 connections; compare machines by this"),
            ("broker, records appended", kafka["per_s"], kafka.get("broker_us"), kafka["by"]),
        ],
    )
    figures: dict[str, Any] = {
        "receiver": by_wrk,
        "post_alone_us": post_us,
        "producer_perf": kafka,
        "parts": rows,
        "compared": compared,
    }
    tables = [
        alone_table,
        deliveries("the parts alone: consume, POST, produce two records", rows),
        deliveries(f"2 processes each, at once, in {turns} turns", compared),
    ]
    return {"limits": Part(tables, figures)}


async def _wrk(receiver: Receiver) -> dict[str, Any]:
    if shutil.which("wrk") is None:
        return {"per_s": None, "cpu_us": None, "by": "wrk is not installed: not measured"}
    before, begun_s = cpu(receiver.pid), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", "-c50", f"-d{_WRK_S}s", f"{receiver.urls[0]}/hook"), stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()
    took_s, calls = time.monotonic() - begun_s, (await receiver.stats())["calls"]
    us = cpu(receiver.pid).since(before).ms * 1000 / max(1, calls)
    return {"per_s": round(calls / took_s), "cpu_us": round(us, 1), "by": "wrk, 50 connections"}


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add how much of everything."""
    flags.add_argument("--tasks", type=int, default=40_000, help="tasks of each run of the parts alone")
    flags.add_argument("--turns", type=int, default=5, help="in which workers and parts share their tasks")
    flags.add_argument("--warm-tasks", type=int, default=5_000, help="tasks of each before its first turn")
    flags.add_argument("--records", type=int, default=500_000, help="of kafka's producer perf test")


def main() -> None:
    """Measure the limits."""
    flags = parser("limits", __doc__)
    add_flags(flags)
    args = flags.parse_args()

    async def all_of_it(rig: Rig) -> dict[str, Part]:
        await warm_up(rig)
        return await measure(rig, args)

    alone("limits", args, all_of_it)


if __name__ == "__main__":
    main()
