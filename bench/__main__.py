"""Measures delivery on this machine: throughput, CPU by part, memory and latency; prints a table and writes JSON.

``python -m bench`` runs a broker, a receiver and one worker of its own, all on this machine's cores, the receiver and the
publisher included. Figures of different machines, or of a busy one, say little; ratios within a run say more.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench import phases
from bench.machine import Others, cpu, facts
from bench.report import BUSY_CORES, table, write
from bench.rig import BODY_BYTES, PARTITIONS, rig
from tests.support.worker import worker_process


async def _measure(args: argparse.Namespace, directory: Path) -> phases.Figures:
    def say(text: str) -> Others:
        print(f"{time.monotonic() - begun_s:6.1f} s  {text}", file=sys.stderr, flush=True)
        return Others()

    begun_s = time.monotonic()
    say("starting the broker and the receiver")
    async with rig(directory, args.domains) as made:
        found: phases.Figures = {"receiver_limit": await phases.receiver_limit(made)}
        # They are several times as fast: as many tasks would be over before the rate is steady.
        others = say(f"the parts alone, without state: {3 * args.tasks} tasks")
        found["parts_limit"] = await phases.parts_limit(made, 3 * args.tasks) | {"others_cores": others.cores()}
        say("a worker's start without work")
        start = await phases.idle_start(made)
        found["start"] = {"ready_s": round(start.ready_s, 2), "cpu_ms": {"worker": round(start.worker.ms)}}
        others = say(f"from a backlog: {args.tasks} tasks")
        await made.publish(made.place.topics.requests, made.records(args.tasks))
        await made.receiver.reset()
        before = cpu(made.broker_pid)
        async with worker_process(made.place) as worker:
            await worker.ready()
            found["backlog"] = await phases.from_backlog(made, worker, start, args.tasks, before)
            found["backlog"]["others_cores"] = others.cores()
            others = say(f"publish and deliver at once: {args.tasks} tasks")
            found["at_once"] = await phases.at_once(made, worker, args.tasks) | {"others_cores": others.cores()}
            say("waiting for work")
            found["idle"] = await phases.idle(made, worker)
            others = say(f"{args.rate:g}/s for {args.seconds:g} s")
            found["steady"] = await phases.latency(made, worker, args.rate, args.seconds)
            found["steady"]["others_cores"] = others.cores()
    backlog, parts = found["backlog"], found["parts_limit"]
    spent_ms = backlog["cpu_ms"]["worker"] + backlog["cpu_ms"]["broker"]
    # One side slowed by other programs and the other not: such a ratio once came out twice as good as it was.
    quiet = max(backlog["others_cores"], parts["others_cores"]) <= BUSY_CORES
    backlog["ratio_to_parts"] = round(backlog["per_s"] / parts["per_s"], 2) if quiet else None
    backlog["cpu_ratio_to_parts"] = round(sum(parts["cpu_ms"].values()) / spent_ms, 2)
    found["took_s"] = round(time.monotonic() - begun_s, 1)
    return found


def main() -> None:
    """Measure, print, and write the figures down."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000, help="tasks of each throughput run")
    parser.add_argument("--domains", type=int, default=8, help="ports of the receiver, each a domain of its own")
    parser.add_argument("--rate", type=float, default=50.0, help="tasks a second of the latency run")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the latency run")
    parser.add_argument("--name", default=None, help="name of the file in bench/results; the time if not given")
    args = parser.parse_args()
    # A producer says so when it asks for a leader too early, and asks again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    load_1m = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as directory:
        figures = asyncio.run(_measure(args, Path(directory)))
    report = {
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "machine": {**facts(), "load_1m_before": load_1m},
        "settings": {
            "all but these": "default",
            "body_bytes": BODY_BYTES,
            "domains": args.domains,
            "partitions": PARTITIONS,
            "workers": 1,
            "parts_limit_concurrency": phases.LIMIT_CONCURRENCY,
        },
        "figures": figures,
    }
    write(report, args.name or time.strftime("%Y%m%dT%H%M%S"))
    Console(highlight=False).print(*table(report), sep="\n")


if __name__ == "__main__":
    main()
