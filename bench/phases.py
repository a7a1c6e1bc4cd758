"""The four measurements, each on what the one before left warm."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.machine import Cpu, cpu, peak_rss_mib
from bench.rig import PARTITIONS, Rig, open_loop
from streamer.adapters.kafka.topics import create_missing
from streamer.wire.topics import DAY_MS, DEFAULT_MAX_MESSAGE_BYTES, Role, TopicSpec
from tests.support.installation import ROOT, environment
from tests.support.worker import WorkerProcess, worker_process

LEAD = 2_000
BATCH = 250
LIMIT_CONCURRENCY = 50
_WITHIN_S = 120.0
#: A commit interval, and then some: what follows the last result belongs to its cost.
_SETTLE_S = 0.7
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """What a worker's start costs on topics without work: taken off where a measured run begins with a start."""

    ready_s: float
    worker: Cpu
    broker: Cpu


async def receiver_limit(rig: Rig, seconds: int = 2) -> Figures:
    """Measure what the receiver can take, with wrk where there is one."""
    url = f"http://127.0.0.1:{rig.receiver.ports[0]}/hook"
    if shutil.which("wrk") is None:
        return {"per_s": None, "by": "wrk is not installed: not measured"}
    await rig.receiver.reset()
    before, begun_s = cpu(rig.receiver.pid), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", "-c50", f"-d{seconds}s", url), stdout=asyncio.subprocess.PIPE
    )
    await process.communicate()
    took_s, stats = time.monotonic() - begun_s, await rig.receiver.stats()
    us = cpu(rig.receiver.pid).since(before).ms * 1000 / max(1, stats["arrivals"])
    return {"per_s": round(stats["arrivals"] / took_s), "cpu_us_per_call": round(us, 1), "by": "wrk, 50 connections"}


async def parts_limit(rig: Rig, number: int) -> Figures:
    """Measure the parts alone: consume, POST, produce two records; no state."""
    source, sink = "bench-limit-source", "bench-limit-sink"
    specs = [TopicSpec(name, Role.REQUESTS, PARTITIONS, DAY_MS, DEFAULT_MAX_MESSAGE_BYTES) for name in (source, sink)]
    await create_missing(rig.place.bootstrap, specs)
    await rig.publish(source, rig.records(number))
    await rig.receiver.reset()
    before = cpu(rig.broker_pid)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.limit", "--bootstrap", rig.place.bootstrap, "--source", source),
        *("--sink", sink, "--count", str(number), "--concurrency", str(LIMIT_CONCURRENCY)),
        *("--url", f"http://127.0.0.1:{rig.receiver.ports[0]}/hook"),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    told = json.loads(out)
    # The POST alone made as many calls again. A limit that did not do its work would be no limit.
    calls = (await rig.receiver.stats())["arrivals"] - number
    if calls != number:
        raise RuntimeError(f"the parts alone made {calls} calls for {number} records: their figures mean nothing")
    return {
        "post_alone_us": round(told["post_us"], 1),
        "per_s": round(number / told["s"]),
        "cpu_ms": {
            "process": round(told["cpu_ms"] / number, 3),
            "broker": round(cpu(rig.broker_pid).since(before).ms / number, 3),
        },
        "peak_rss_mib": round(told["peak_rss_mib"]),
    }


async def idle_start(rig: Rig) -> Start:
    """Start a worker on empty topics and end it."""
    before, begun_s = cpu(rig.broker_pid), time.monotonic()
    async with worker_process(rig.place) as worker:
        await worker.ready()
        ready_s = time.monotonic() - begun_s
        return Start(ready_s, cpu(worker.pid), cpu(rig.broker_pid).since(before))


async def from_backlog(rig: Rig, worker: WorkerProcess, start: Start, number: int, broker: Cpu) -> Figures:
    """Measure a worker that was just started on a backlog; ``broker`` is the broker's CPU before that."""
    wanted = number
    await rig.until_results(wanted, _WITHIN_S)
    await asyncio.sleep(_SETTLE_S)
    stats = await rig.receiver.stats()
    used, broker_used = cpu(worker.pid), cpu(rig.broker_pid).since(broker)
    return {
        "tasks": number,
        "calls": stats["arrivals"],
        "per_s": round(number / ((stats["last_ns"] - stats["first_ns"]) / 1e9)),
        "cpu_ms": {
            "worker": round((used.ms - start.worker.ms) / number, 3),
            "worker_user": round((used.user_ms - start.worker.user_ms) / number, 3),
            "worker_system": round((used.system_ms - start.worker.system_ms) / number, 3),
            "broker": round((broker_used.ms - start.broker.ms) / number, 3),
        },
        "connections": stats["connections"],
        "peak_rss_mib": round(peak_rss_mib(worker.pid)),
    }


async def at_once(rig: Rig, worker: WorkerProcess, number: int) -> Figures:
    """Publish and deliver at the same time; the publisher is never more than ``LEAD`` tasks ahead."""
    await rig.receiver.reset()
    results = await rig.result_count()
    records = rig.records(number)
    before = [cpu(pid) for pid in (worker.pid, rig.broker_pid, os.getpid())]
    begun_ns = time.monotonic_ns()
    for first in range(0, number, BATCH):
        while first - (await rig.receiver.stats())["arrivals"] > LEAD:  # noqa: ASYNC110 - another process's count
            await asyncio.sleep(0.02)
        await rig.publish(rig.place.topics.requests, records[first : first + BATCH])
    await rig.until_results(results + number, _WITHIN_S)
    await asyncio.sleep(_SETTLE_S)
    stats = await rig.receiver.stats()
    used = [
        cpu(pid).since(was).ms / number
        for pid, was in zip((worker.pid, rig.broker_pid, os.getpid()), before, strict=True)
    ]
    return {
        "tasks": number,
        "calls": stats["arrivals"],
        "per_s": round(number / ((stats["last_ns"] - begun_ns) / 1e9)),
        "cpu_ms": dict(zip(("worker", "broker", "publisher"), (round(each, 3) for each in used), strict=True)),
        "peak_rss_mib": round(peak_rss_mib(worker.pid)),
    }


async def idle(rig: Rig, worker: WorkerProcess, seconds: float = 5.0) -> Figures:
    """Measure what waiting for work costs, in cores: at a low rate most of the CPU of a delivery is this."""
    pids = {"worker": worker.pid, "broker": rig.broker_pid}
    before = {name: cpu(pid) for name, pid in pids.items()}
    begun_s = time.monotonic()
    await asyncio.sleep(seconds)
    took_ms = (time.monotonic() - begun_s) * 1000
    return {"cores": {name: round(cpu(pid).since(before[name]).ms / took_ms, 3) for name, pid in pids.items()}}


async def latency(rig: Rig, worker: WorkerProcess, per_s: float, seconds: float) -> Figures:
    """Produce at a steady rate; time from before the produce to the arrival, by the receiver's clock."""
    await rig.receiver.reset()
    results = await rig.result_count()
    before = [cpu(pid) for pid in (worker.pid, rig.broker_pid)]
    number = await open_loop(rig.publish_one, per_s, seconds)
    await rig.until_results(results + number, _WITHIN_S)
    used = [cpu(pid).since(was).ms / number for pid, was in zip((worker.pid, rig.broker_pid), before, strict=True)]
    took_ms = sorted(ns / 1e6 for ns in (await rig.receiver.stats(latencies=True))["latencies_ns"])
    return {
        "tasks": number,
        "calls": len(took_ms),
        "per_s": per_s,
        "ms": {"p50": at(took_ms, 0.5), "p90": at(took_ms, 0.9), "p99": at(took_ms, 0.99), "max": at(took_ms, 1)},
        "cpu_ms": dict(zip(("worker", "broker"), (round(each, 3) for each in used), strict=True)),
    }


def at(ordered: Sequence[float], share: float) -> float:
    """Return the value below which this share lies."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)
