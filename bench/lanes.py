"""Shows that one domain does not hurt another, nor one business the other; exits 1 when a promise is not kept.

``python -m bench.lanes`` runs a broker, one worker with default settings and receivers of its own, all on this machine:
(a) healthy domains alone, (b) beside a dead one, (c) beside one with a backlog of hours, (d) two businesses and two
priorities in one lane.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import neighbours, tenants
from bench.load import HEALTHY
from bench.machine import Others
from bench.report import Shown, conclude
from bench.site import site
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from tests.support.worker import worker_process

_LEAST_PER_S = 200
_PARTS = "abcd"


class Told:
    """The lines so far, each printed when it is known."""

    def __init__(self) -> None:
        """Begin with none."""
        self.lines: list[Shown] = []
        self._begun_s = time.monotonic()

    def __call__(self, line: Shown) -> None:
        """Print a line."""
        self.lines.append(line)
        print(f"{time.monotonic() - self._begun_s:6.0f} s{line}", flush=True)


async def _run(
    broker: EmbeddedBroker, directory: Path, parts: str, beside: neighbours.Sizes, within: tenants.Sizes, told: Told
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    async with site(broker, directory, "neighbours", HEALTHY + 1) as made, worker_process(made.place) as worker:
        await worker.ready()
        most = await neighbours.capacity(made, beside.capacity_tasks)
        rate = beside.rate or round(max(_LEAST_PER_S, beside.share * most))
        told(
            Shown(f"one worker delivers {most:.0f}/s from a backlog; healthy load: {rate:g}/s, {rate / most:.0%} of it")
        )
        await neighbours.warm(made, rate)
        base = await neighbours.alone(made, rate, beside.seconds, told)
        figures["a"] = {
            "rate": rate,
            "capacity": most,
            "p50_ms": base.p50_ms,
            "p99_ms": base.p99_ms,
            "per_s": base.per_s,
        }
        if "b" in parts:
            figures["b"] = await neighbours.beside_dead(made, rate, beside, base, told)
    # Each its own installation and a fresh worker: what the one leaves on the tiers is nothing to the other.
    if "c" in parts:
        async with site(broker, directory, "parked", HEALTHY + 1) as made, worker_process(made.place) as worker:
            await worker.ready()
            figures["c"] = await neighbours.beside_parked(made, worker, rate, beside, base, told)
    if "d" in parts:
        async with site(broker, directory, "tenants", HEALTHY + 3) as made, worker_process(made.place) as worker:
            await worker.ready()
            figures["turns"] = await tenants.turns(made, within, told)
            figures["urgency"] = await tenants.urgency(made, within, told)
    return figures


def main() -> None:
    """Run the parts one after another, print their lines, and judge."""
    usual = neighbours.Sizes()
    parser = argparse.ArgumentParser(prog="python -m bench.lanes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers, to try the test itself: no figures")
    parser.add_argument("--parts", default=_PARTS, help="which of a, b, c and d; a is always run")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="healthy tasks a second; a share of capacity if not given"
    )
    parser.add_argument("--share", type=float, default=usual.share, help="that share")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="length of each measurement")
    args = parser.parse_args()
    beside = neighbours.Sizes(seconds=args.seconds, rate=args.rate, share=args.share)
    within = tenants.Sizes(seconds=2 * args.seconds)
    if args.quick:
        beside = neighbours.Sizes(15, 3_000, args.rate, args.share, dead_timeout_s=5, parked=5_000, back=False)
        within = tenants.Sizes(tasks=10_000, seconds=10, waiting=1_000, urgent=5)
    # A producer says so when it asks for a leader too early, and asks again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    others, told = Others(), Told()
    with tempfile.TemporaryDirectory(prefix="streamer-lanes-") as scratch:
        directory = Path(scratch)
        with EmbeddedBroker(BrokerOptions(directory / "kafka")) as broker:
            figures = asyncio.run(_run(broker, directory, args.parts, beside, within, told))
    conclude("bench.lanes", told.lines, figures, others.cores())


if __name__ == "__main__":
    main()
