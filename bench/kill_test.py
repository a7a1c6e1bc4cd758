"""Kills workers in the midst of their work, and counts what is lost, told twice, or sent twice.

``python -m bench.kill_test --tasks 30000 --kills 3`` starts a broker, two workers and receivers of 40 domains of its own,
prints a table, and exits 1 when anything happened that must not, or when not all kills could be made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.crew import crew, end, kill_and_start
from bench.ledgers import Accepted, Results
from bench.oracle import Verdict
from bench.oracle_report import rows
from bench.recording import Recording, recorded
from bench.run_ledgers import ARRIVALS, Terms
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from tests.support.domains import Domains, many_domains
from tests.support.installation import Installation, installed
from tests.support.worker import WorkerProcess

#: Of 20 tasks one fails once and is tried again, one fails for good, two bring an id of their own.
_CYCLE = 20
_BODY = "x" * 250
_MOST_STORIES = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How much work, how many faults."""

    tasks: int = 30_000
    kills: int = 3
    workers: int = 2
    domains: int = 40
    seed: int = 1
    within_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: who, after how many ends, and how long the slowest of its partitions stood still."""

    victim: str
    after_ends: int
    recovery_s: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to."""

    plan: Plan
    verdict: Verdict
    kills: Sequence[Kill]
    exit_codes: Sequence[int]
    took_s: float

    @property
    def good(self) -> bool:
        """Whether nothing happened that must not, and the faults were made."""
        return self.verdict.clean and len(self.kills) == self.plan.kills and not any(self.exit_codes)

    def lines(self) -> list[str]:
        """Return the table."""
        verdict, plan = self.verdict, self.plan
        told: list[tuple[str, object]] = [
            *rows(verdict),
            ("exit codes at the end", ", ".join(map(str, self.exit_codes))),
            ("throughput", f"{verdict.tasks / self.took_s:.0f}/s over {self.took_s:.1f} s, kills included"),
        ]
        for number, kill in enumerate(self.kills, 1):
            recovery = "nothing left to do" if kill.recovery_s is None else f"{kill.recovery_s:.1f} s"
            told.append((f"recovery {number}", f"{recovery} ({kill.victim}, after {kill.after_ends} ends)"))
        title = f"kill test: {plan.tasks} tasks, {len(self.kills)} of {plan.kills} kills, {plan.workers} workers, "
        title += f"{plan.domains} domains, seed {plan.seed}"
        found = [str(story) for story in verdict.stories[:_MOST_STORIES]]
        return [title, *(f"  {name:<32} {value}" for name, value in told), *found, "passed" if self.good else "FAILED"]


async def run(place: Installation, plan: Plan) -> Report:
    """Run on an installation that is made and empty; its ledgers stay in its directory."""
    async with AsyncExitStack() as stack:
        domains = await stack.enter_async_context(many_domains(plan.domains, place.directory / ARRIVALS))
        recording = await stack.enter_async_context(recorded(place, Terms()))
        workers = await stack.enter_async_context(crew(place, plan.workers))
        began = time.monotonic()
        sending = asyncio.create_task(_send(place, plan, domains, recording.accepted))
        made = await _kill_now_and_then(place, plan, workers, recording)
        await sending
        await recording.until_ended(plan.within_s)
        took_s = time.monotonic() - began
        exit_codes = await end(workers)
    results = recording.results
    kills = [Kill(victim, ends, results.recovery_s(f"worker-{victim}", at_ms)) for victim, ends, at_ms in made]
    return Report(plan, recording.judged(), kills, exit_codes, took_s)


async def _send(place: Installation, plan: Plan, domains: Domains, accepted: Accepted) -> None:
    topic = place.topics.requests
    async with _producer(place.bootstrap) as producer:
        pending = []
        for number in range(plan.tasks):
            request = _request(number, domains.urls[number % len(domains.urls)])
            pending.append((await producer.send(topic, json.dumps(request).encode()), request.get("id")))
        for future, own_id in pending:
            accepted.add(await future, own_id)


def _request(number: int, url: str) -> dict[str, Any]:
    match number // 7 % _CYCLE:
        case 0:
            return {"url": f"{url}/fail/1/503", "body": _BODY, "retry": {"intervals": ["1s", "2s"]}}
        case 1:
            return {"url": f"{url}/status/400", "body": _BODY}
        case 2 | 3:
            return {"url": f"{url}/{number}", "body": _BODY, "id": f"own-{number}"}
        case _:
            return {"url": f"{url}/{number}", "body": _BODY}


async def _kill_now_and_then(
    place: Installation, plan: Plan, workers: list[WorkerProcess], recording: Recording
) -> list[tuple[str, int, int]]:
    """Kill a worker chosen by chance each time that another share of the work is done, and start it again at once."""
    chance, made = random.Random(plan.seed), []
    for number in range(plan.kills):
        threshold = plan.tasks * (2 * number + 1) // (2 * plan.kills + 1)
        await recording.log.until(partial(_done, recording.results, threshold), plan.within_s)
        slot = chance.randrange(len(workers))
        made.append((workers[slot].name, len(recording.results.ended), time.time_ns() // 1_000_000))
        recording.ledgers.process(workers[slot].name, "signalled", "KILL")
        await kill_and_start(place, workers, slot)
        recording.ledgers.process(workers[slot].name, "spawned")
    return made


def _done(results: Results, least: int, _: Sequence[None]) -> bool:
    return len(results.ended) >= least


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _alone(bootstrap: str, plan: Plan, partitions: int, directory: Path) -> Report:
    async with installed(Installation(bootstrap, "kill-test.", directory, partitions)) as place:
        return await run(place, plan)


def main() -> None:
    """Run with a broker of its own, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.kill_test", description="Kill workers, and count what is lost."
    )
    usual = Plan()
    parser.add_argument("--tasks", type=int, default=usual.tasks)
    parser.add_argument("--kills", type=int, default=usual.kills)
    parser.add_argument("--workers", type=int, default=usual.workers)
    parser.add_argument("--domains", type=int, default=usual.domains)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--directory", type=Path, help="Where ledgers and logs stay; else they are removed.")
    args = parser.parse_args()
    plan = Plan(args.tasks, args.kills, args.workers, args.domains, args.seed)
    # A consumer of topics that were just made complains until they have leaders everywhere.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="streamer-kill-test-") as scratch:
        directory = args.directory or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        with EmbeddedBroker(BrokerOptions(Path(scratch) / "kafka")) as broker:
            report = asyncio.run(_alone(broker.bootstrap, plan, args.partitions, directory))
    print("\n".join(report.lines()))
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
