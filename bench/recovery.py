"""How long until a worker works when its table is large: a changelog of so many tasks, and a worker's start on it.

``python -m bench.recovery --sizes 10000 100000 1000000`` writes entries of waiting tasks as deliver would, all of them
current. The start of a worker without any is taken off.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.cell import Conditions, installation
from bench.machine import cpu, peak_rss_mib, rss_mib
from bench.report import Shown
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.samples import entry_of
from bench.tables import plain
from streamer.core.entry import pack
from streamer.core.lifecycle import State
from tests.support.installation import Installation
from tests.support.worker import worker_process

_MIB = 1024 * 1024
_READY_S = 180.0


@dataclass(frozen=True, slots=True)
class Start:
    """What one start came to."""

    entries: int
    ready_s: float
    cpu_ms: float
    rss_mib: float
    peak_mib: float


async def measure(rig: Rig, args: argparse.Namespace) -> dict[str, Part]:
    """Start a worker on tables of each size, the empty one first."""
    starts = []
    for size in (0, *args.sizes):
        async with installation(rig, Conditions()) as (place, _):
            say(f"a table of {size} tasks")
            await _fill(rig.producer, place, size)
            # What others do on the machine only adds.
            starts.append(min([await _start(place, size) for _ in range(args.rounds)], key=lambda one: one.ready_s))
    empty, *others = starts
    rows = [_row(start, empty) for start in others]
    table = plain(
        "recovery of the table",
        ("tasks", "ready after, s", "recovery, s", "µs a task", "CPU, s", "bytes a task", "peak MiB"),
        [tuple(row.values()) for row in rows],
    )
    told = Shown(f"a worker without a table is ready after {empty.ready_s:.1f} s and holds {empty.rss_mib:.0f} MiB")
    return {"table": Part([table], {"empty_ready_s": round(empty.ready_s, 2), "sizes": rows}, [told])}


def _row(start: Start, empty: Start) -> dict[str, Any]:
    recovery_s = start.ready_s - empty.ready_s
    return {
        "tasks": start.entries,
        "ready_s": round(start.ready_s, 2),
        "recovery_s": round(recovery_s, 2),
        "us_per_task": round(recovery_s * 1e6 / start.entries, 2),
        "cpu_s": round((start.cpu_ms - empty.cpu_ms) / 1000, 2),
        "bytes_per_task": round((start.rss_mib - empty.rss_mib) * _MIB / start.entries),
        "peak_mib": round(start.peak_mib),
    }


async def _start(place: Installation, entries: int) -> Start:
    begun_s = time.monotonic()
    async with worker_process(place) as worker:
        await worker.ready(_READY_S)
        ready_s = time.monotonic() - begun_s
        return Start(entries, ready_s, cpu(worker.pid).ms, rss_mib(worker.pid), peak_rss_mib(worker.pid))


async def _fill(producer: AIOKafkaProducer, place: Installation, entries: int) -> None:
    for partition in range(place.partitions):
        batch = producer.create_batch()
        for key, value in _changes(range(partition, entries, place.partitions), partition):
            if batch.append(key=key, value=value, timestamp=None) is None:
                await producer.send_batch(batch, place.topics.tasks_changelog, partition=partition)
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        if batch.record_count():
            await producer.send_batch(batch, place.topics.tasks_changelog, partition=partition)
    await producer.flush()


def _changes(numbers: range, partition: int) -> Iterator[tuple[bytes, bytes]]:
    for number in numbers:
        key, entry = entry_of(number, partition, State.RETRYING)
        yield key, pack(entry)


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add how much of everything."""
    flags.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="tasks in the table")
    flags.add_argument("--rounds", type=int, default=2, help="starts on each, of which the best counts")


def main() -> None:
    """Measure each size."""
    flags = parser("recovery", __doc__)
    add_flags(flags)
    args = flags.parse_args()
    alone("recovery", args, lambda rig: measure(rig, args))


if __name__ == "__main__":
    main()
