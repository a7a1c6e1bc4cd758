"""Shows that scheduled tasks are sent when they are due, never before; exits 1 when one is early, or they are late.

``python -m bench.schedule_test`` spreads tasks evenly, each at a moment of its own, over a span that begins when all of them
have been taken in, and compares each ``send_at`` with the receiver's wall clock, which is that of the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.arrivals import number_of
from bench.machine import Others
from bench.report import Shown, conclude
from bench.site import Site, site
from bench.spread import at
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.wire.instants import format_instant
from tests.support.worker import worker_process

MOST_P99_MS, MOST_MS = 500, 2_000
_DOMAINS = 40
_NAME = "scheduled"
_LATE_S = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many tasks, over how long, and how long before the first that is."""

    tasks: int = 100_000
    span_s: float = 300.0
    lead_s: float = 120.0
    seed: int = 1


async def run(made: Site, plan: Plan) -> tuple[list[Shown], dict[str, Any]]:
    """Schedule the tasks, wait until they have come, and judge."""
    begun_ms = time.time_ns() // 1_000_000
    first_ms, chance = begun_ms + plan.lead_s * 1000, random.Random(plan.seed)
    step_ms = plan.span_s * 1000 / plan.tasks
    due_ms = [round(first_ms + step_ms * (number + chance.random())) for number in range(plan.tasks)]
    # Not in the order of their times: nobody's producer does us this favour.
    numbers = chance.sample(range(plan.tasks), plan.tasks)
    await made.publish(made.request(n % _DOMAINS, _NAME, n, send_at=format_instant(due_ms[n])) for n in numbers)
    wrote_s = time.time() - begun_ms / 1000
    await made.taken_in(_NAME, range(_DOMAINS), plan.tasks, plan.lead_s + plan.span_s)
    taken_s = time.time() - begun_ms / 1000
    told = f"written in {wrote_s:.0f} s, on their tiers after {taken_s:.0f} s; due from {plan.lead_s:g} s, for {plan.span_s:g} s"
    early_start = Shown(f"{plan.tasks} tasks {told}", taken_s <= plan.lead_s)
    print(early_start, flush=True)
    await asyncio.sleep(max(0.0, max(due_ms) / 1000 - time.time()))
    await made.arrivals.until(_NAME, plan.tasks, _LATE_S)
    late_ms: dict[int, int] = {}
    for arrival in made.arrivals.of(_NAME):
        late_ms.setdefault(number_of(arrival), arrival.at_ms - due_ms[number_of(arrival)])
    ordered, again = sorted(late_ms.values()), len(made.arrivals.of(_NAME)) - len(late_ms)
    early = sum(late < 0 for late in ordered)
    p99_ms, most_ms = at(ordered, 0.99), at(ordered, 1)
    counts = await asyncio.gather(*[made.deferrals(domain) for domain in range(_DOMAINS)])
    shown = [
        Shown(
            f"{len(late_ms)} of {plan.tasks} tasks came, {again} calls beyond one a task", len(late_ms) == plan.tasks
        ),
        Shown(f"early: {early}, at most 0; the nearest came {ordered[0]} ms after its time", early == 0),
        Shown(f"lateness p50 {at(ordered, 0.5):g}, p90 {at(ordered, 0.9):g} ms"),
        Shown(f"lateness p99 {p99_ms:g} ms, at most {MOST_P99_MS}", p99_ms <= MOST_P99_MS),
        Shown(f"lateness at most {most_ms:g} ms, allowed is {MOST_MS}", most_ms <= MOST_MS),
        Shown(f"deferrals that results tell, per task: {sum(map(Counter.total, counts)) / plan.tasks:.2f}"),
    ]
    print(*shown, sep="\n")
    figures = {"tasks": plan.tasks, "came": len(late_ms), "early": early, "taken_in_s": taken_s, "again": again}
    return [early_start, *shown], figures | {"p50_ms": at(ordered, 0.5), "p99_ms": p99_ms, "most_ms": most_ms}


async def _alone(broker: EmbeddedBroker, directory: Path, plan: Plan) -> tuple[list[Shown], dict[str, Any]]:
    async with site(broker, directory, "schedule", _DOMAINS) as made, worker_process(made.place) as worker:
        await worker.ready()
        return await run(made, plan)


def main() -> None:
    """Run with a broker and one worker of its own, and print what came of it."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m bench.schedule_test", description=__doc__)
    parser.add_argument("--tasks", type=int, default=usual.tasks, help="tasks, over 40 domains")
    parser.add_argument("--span", type=float, default=usual.span_s, help="seconds over which they are due")
    parser.add_argument("--lead", type=float, default=usual.lead_s, help="seconds until the first is due")
    args = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    others, plan = Others(), Plan(args.tasks, args.span, args.lead)
    with tempfile.TemporaryDirectory(prefix="streamer-schedule-") as scratch:
        directory = Path(scratch)
        with EmbeddedBroker(BrokerOptions(directory / "kafka")) as broker:
            shown, figures = asyncio.run(_alone(broker, directory, plan))
    conclude("bench.schedule_test", shown, figures, others.cores())


if __name__ == "__main__":
    main()
