"""Cases in which a disk is full: the broker's, or the workers' own (RELIABILITY §7 B)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from bench.faults.case import Case, Finding, Scale
from bench.faults.field import Field, under_load
from bench.faults.findings import found, resumed_s
from bench.faults.ground import Ground
from bench.faults.load import Load
from bench.faults.small_disk import SmallDisk, small_disk
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker

_RESUME_S = 30.0
_DISK_MIB = 256
_DOWN_S = 10.0
#: Of a disk this small the broker would otherwise say at its start that it is nearly full.
_MIN_FREE_MIB = 16
#: What its load fills within seconds.
_LEFT_BYTES = 2 * 1024 * 1024
_FULL_WITHIN_S = 60.0
_CLAIMS_MIB = 4


async def broker_disk_full(ground: Ground, scale: Scale) -> Finding:
    """Let the broker run out of disk, which ends it; free the disk, and start it again, as a supervisor would."""
    rounds = 3 if scale is Scale.FULL else 1
    back_at_ms: list[int] = []
    ended: list[bool] = []
    with small_disk(ground.directory / "disk", _DISK_MIB) as disk:
        options = BrokerOptions(disk.path / "kafka", min_free_mib=_MIN_FREE_MIB)
        with EmbeddedBroker(options) as broker:

            async def harm(field: Field) -> None:
                for _ in range(rounds):
                    await asyncio.sleep(8)
                    field.note("disk full", "broker")
                    ended.append(await _filled_up(broker, disk))
                    await asyncio.sleep(_DOWN_S)
                    disk.free()
                    await asyncio.to_thread(broker.kill)
                    await asyncio.to_thread(broker.start)
                    back_at_ms.append(time.time_ns() // 1_000_000)
                    await asyncio.sleep(10)

            outcome = await under_load(replace(ground, broker=broker), Load(rounds * 60.0), harm)
    slowest_s = max(resumed_s(outcome.field.results, at_ms) for at_ms in back_at_ms)
    return found(
        outcome,
        applied=len(ended) == rounds and all(ended),
        holds=slowest_s < _RESUME_S and not outcome.field.by_themselves,
        more=[f"the broker ended {sum(ended)} times", f"all partitions go on within {slowest_s:.1f} s"],
    )


async def _filled_up(broker: EmbeddedBroker, disk: SmallDisk) -> bool:
    """Fill the disk but for a little, and tell whether the broker found it full and ended."""
    disk.fill(_LEFT_BYTES)
    return await asyncio.to_thread(broker.wait, _FULL_WITHIN_S)


async def worker_disk_full(ground: Ground, scale: Scale) -> Finding:
    """Fill the disk on which workers keep their claims and markers, and free it after a while."""
    full_s = 120.0 if scale is Scale.FULL else 15.0
    full_for_s: list[float] = []
    with small_disk(ground.directory / "disk", _CLAIMS_MIB) as disk:

        async def harm(field: Field) -> None:
            await asyncio.sleep(8)
            field.note("disk full", "workers")
            began_s = time.monotonic()
            disk.fill()
            await asyncio.sleep(full_s)
            if disk.free_bytes == 0:
                full_for_s.append(time.monotonic() - began_s)
            disk.free()

        settings = {"worker.data_dir": str(disk.path / "state")}
        outcome = await under_load(ground, Load(full_s + 25.0, settings=settings), harm)
    return found(outcome, applied=bool(full_for_s), holds=True, more=[f"full for {sum(full_for_s):.0f} s"])


DISKS = (
    Case(
        "B14a",
        "the broker's disk full, then freed, and the broker started again",
        "no anomaly, no worker ends, goes on within 30 s",
        broker_disk_full,
        broker=False,
    ),
    Case("B14b", "the workers' disk full, then freed", "no anomaly", worker_disk_full),
)
