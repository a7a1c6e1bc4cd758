"""Shows what hostile answers cost: little memory, and the domains beside them little time; exits 1 when they cost more.

``python -m bench.bombs`` runs a broker, one worker and two receivers on this machine. A domain at a steady rate is measured
(a) alone, (b) beside rounds of 200 calls that are in flight at once and answered with two bytes, (c) beside the same with
gzip bombs of 400 MB, (d) with bodies that never end, (e) beside 200 calls whose answers drip a byte a second.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.bomb_rounds import Harm, Memory, Rounds, allow, harm, hostile_rounds, one_round
from bench.lanes import Told
from bench.load import Heard, Load
from bench.machine import Others
from bench.report import Shown, conclude
from bench.site import Site, site
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from tests.support.worker import WorkerProcess, worker_process

MOST_GROWTH_MIB = 50.0
MOST_P99 = 2.0
_WARM_S = 5.0
_KINDS = {"bomb": "(c) gzip bombs of 400 MB", "endless": "(d) bodies without end", "drip": "(e) drips, a byte a second"}


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen while something lasted: the neighbour, the worker's memory, and the receiver's own count."""

    heard: Heard
    peak_mib: float
    last_mib: float
    counted: dict[str, int]


def verdicts(name: str, looked: Looked, alone: Heard, beside: Looked) -> list[Shown]:
    """Judge one kind of answers by what it cost, against the neighbour ``alone`` and ``beside`` the same calls answered well."""
    grown_mib, factor = looked.peak_mib - beside.last_mib, looked.heard.p99_ms / beside.heard.p99_ms
    memory = f"the worker's memory at most {looked.peak_mib:.0f} MiB, {grown_mib:+.1f} to (b)"
    # That 200 calls at once are felt is no hostility; what their answers add is.
    late = f"p99 of the neighbour {factor:.2f} times that of (b), at most {MOST_P99:g}"
    to_alone = looked.heard.p99_ms / alone.p99_ms
    came = looked.heard.arrived == looked.heard.tasks
    return [
        Shown(f"{name}: {memory}; allowed is {MOST_GROWTH_MIB:g} more", grown_mib <= MOST_GROWTH_MIB),
        Shown(f"{name}: {late}; {to_alone:.2f} times that of (a)", came and factor <= MOST_P99),
    ]


async def look(
    made: Site, worker: WorkerProcess, name: str, rate: float, seconds: float, work: Awaitable[Any]
) -> Looked:
    """Measure the neighbour and the worker's memory while something goes on, which returns the receiver's count or None."""
    load = Load(made, name, lambda name, number: made.request(0, name, number))
    async with Memory(worker.pid) as memory:
        _, counted = await asyncio.gather(load.run(rate, seconds), work)
    await load.arrived()
    return Looked(load.heard(), memory.peak_mib, memory.looks_mib[-1], counted or {})


async def _nothing() -> None:
    return None


async def _run(made: Site, worker: WorkerProcess, bad: Harm, rounds: Rounds, rate: float, told: Told) -> dict[str, Any]:
    await allow(made, bad.urls, rounds.at_once)
    await look(made, worker, "warm", rate, _WARM_S, _nothing())
    # The worker's first rounds build clients and grow buffers, which is nobody's fault.
    await hostile_rounds(made, bad, "small", Rounds(rounds.at_once, rounds.every_s, _WARM_S))
    alone = await look(made, worker, "alone", rate, rounds.seconds, _nothing())
    told(Shown(f"(a) a domain at {rate:g}/s alone: {alone.heard}"))
    small = await look(made, worker, "small", rate, rounds.seconds, hostile_rounds(made, bad, "small", rounds))
    told(Shown(f"(b) beside {_rounds(small.counted)} answered with two bytes: {small.heard}"))
    told(Shown(f"    the worker's memory: {small.last_mib:.0f} MiB afterwards, at most {small.peak_mib:.0f}"))
    figures = {"a": asdict(alone), "b": asdict(small)}
    for path, name in _KINDS.items():
        if path == "drip":
            await one_round(made, bad, path, rounds)
            looked = await look(made, worker, path, rate, rounds.seconds, bad.stats())
        else:
            looked = await look(made, worker, path, rate, rounds.seconds, hostile_rounds(made, bad, path, rounds))
        told(Shown(f"{name}, {_rounds(looked.counted)}: {looked.heard}"))
        for shown in verdicts(name, looked, alone.heard, small):
            told(shown)
        figures[path] = asdict(looked)
    return figures


def _rounds(counted: dict[str, int]) -> str:
    return f"{counted['rounds']} rounds of {counted['most_at_once']} calls at once"


async def _set_up(broker: EmbeddedBroker, directory: Path, args: argparse.Namespace, told: Told) -> dict[str, Any]:
    rounds = Rounds(args.at_once, args.every, args.seconds)
    async with (
        site(broker, directory, "bombs", 1) as made,
        harm(args.domains, rounds.at_once) as bad,
        worker_process(made.place) as worker,
    ):
        await worker.ready()
        return await _run(made, worker, bad, rounds, args.rate, told)


def main() -> None:
    """Run the parts one after another, print their lines, and judge."""
    usual = Rounds()
    parser = argparse.ArgumentParser(prog="python -m bench.bombs", description=__doc__)
    parser.add_argument("--at-once", type=int, default=usual.at_once, help="hostile calls of a round")
    parser.add_argument("--domains", type=int, default=4, help="hostile domains, which share them")
    parser.add_argument("--every", type=float, default=usual.every_s, help="seconds from a round to the next")
    parser.add_argument("--rate", type=float, default=50.0, help="the neighbour's tasks a second")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="length of each measurement")
    args = parser.parse_args()
    # A producer says so when it asks for a leader too early, and asks again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    others, told = Others(), Told()
    with tempfile.TemporaryDirectory(prefix="streamer-bombs-") as scratch:
        directory = Path(scratch)
        with EmbeddedBroker(BrokerOptions(directory / "kafka")) as broker:
            figures = asyncio.run(_set_up(broker, directory, args, told))
    conclude("bench.bombs", told.lines, figures, others.cores())


if __name__ == "__main__":
    main()
