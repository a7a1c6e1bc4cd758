"""What does each hop of a task cost? Each stage by itself against a real broker, in a process of its own.

``python -m bench.hops --count 20000`` prints µs of CPU per record: of the process, and of the broker meanwhile.

- *intake*: reads a backlog of requests and writes deliveries, without anything behind it.
- *deliver*: a worker that finds tasks on ``deliveries``: reads, sends, writes result and state. Its broker's share holds the
  writing of those tasks too.
- *a result*, *a state record*: what deliver writes of a task that succeeds, in groups of 50.
- *a tier*: one wait: written to a tier, read by hold, written to ``due``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.backlog import warm_up
from bench.cell import Cell, Conditions, cell, installation
from bench.machine import cpu
from bench.publish import hidden_backlog, requests
from bench.rig import BODY_BYTES, Rig
from bench.run import Part, alone, parser, say
from bench.tables import plain
from tests.support.installation import ROOT, Installation, environment

Figures = dict[str, Any]
#: Value, key, partition and headers.
Record = tuple[bytes, bytes, int, Any]
_WITHIN_S = 120.0
_SETTLE_S = 1.0


async def measure(rig: Rig, args: argparse.Namespace) -> dict[str, Part]:
    """Measure intake, then deliver on what it wrote, then the parts of deliver and hold."""
    rows: dict[str, Figures] = {}
    conditions = Conditions(seed=args.seed)
    async with cell(rig, conditions) as made, installation(rig, conditions) as (place, _):
        say(f"intake: {args.count} requests")
        records = requests(made.receiver.urls, args.count, BODY_BYTES, args.seed)
        rows["intake"] = await _hop(
            rig, place, "intake", args.count, hidden_backlog(rig.hidden, place.topics.requests, records)
        )
        say(f"deliver: {args.count} tasks")
        rows["deliver, all of it"] = await _deliver(made, place, args.count)
    for stage, name in {"results": "  a result", "state": "  a state record", "tier": "a tier, one wait"}.items():
        async with installation(rig, conditions) as (place, _):
            say(f"{name.strip()}: {args.count} records")
            rows[name] = await _hop(rig, place, stage, args.count)
    columns = ("µs of CPU per record", "process", "broker", "both")
    cells = [(name, row["process_us"], row["broker_us"], row["both_us"]) for name, row in rows.items()]
    return {"hops": Part([plain("each hop by itself", columns, cells)], rows)}


async def _hop(
    rig: Rig, place: Installation, stage: str, count: int, feed: AbstractAsyncContextManager[None] | None = None
) -> Figures:
    words = ("-m", "bench.hop", "--config", str(place.config), "--stage", stage, "--count", str(count))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words),
        cwd=ROOT,
        env=environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if not await process.stdout.readline():
            raise RuntimeError(f"the stage {stage} ended before it was ready; its words are above")
        async with feed or nullcontext():
            before = cpu(rig.broker_pid)
            process.stdin.write(b"go\n")
        told = json.loads(await process.stdout.readline())
        broker_ms = cpu(rig.broker_pid).since(before).ms
    finally:
        await process.communicate()
    return _figures(count, told["cpu_ms"] * 1000 / count, broker_ms * 1000 / count)


async def _deliver(made: Cell, place: Installation, count: int) -> Figures:
    """Give a worker that is ready what intake has written elsewhere, byte for byte and partition by partition."""
    topic = made.place.topics.deliveries
    records = await _read(place, place.topics.deliveries, count)
    await made.receiver.reset()
    watch = made.watch()
    await asyncio.gather(
        *[
            await made.rig.producer.send(topic, value, key, number, headers=list(headers))
            for value, key, number, headers in records
        ]
    )
    await made.receiver.until(count, _WITHIN_S)
    await asyncio.sleep(_SETTLE_S)
    spent_ms = watch.used(count)["cpu_ms"]
    return _figures(count, spent_ms["worker"] * 1000, spent_ms["broker"] * 1000)


def _figures(count: int, process_us: float, broker_us: float) -> Figures:
    both_us = round(process_us + broker_us, 1)
    return {"count": count, "process_us": round(process_us, 1), "broker_us": round(broker_us, 1), "both_us": both_us}


async def _read(place: Installation, topic: str, count: int) -> list[Record]:
    consumer = AIOKafkaConsumer(bootstrap_servers=place.bootstrap, auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topic, number) for number in range(place.partitions)])
    await consumer.start()
    found: list[Record] = []
    try:
        async with asyncio.timeout(_WITHIN_S):
            while len(found) < count:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(record.value, record.key, record.partition, record.headers) for record in batch]
        return found
    finally:
        await consumer.stop()


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add how much of everything."""
    flags.add_argument("--count", type=int, default=20_000, help="records of each stage")


def main() -> None:
    """Measure each hop."""
    flags = parser("hops", __doc__)
    add_flags(flags)
    args = flags.parse_args()

    async def all_of_it(rig: Rig) -> dict[str, Part]:
        await warm_up(rig)
        return await measure(rig, args)

    alone("hops", args, all_of_it)


if __name__ == "__main__":
    main()
