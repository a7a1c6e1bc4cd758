"""Shows that no task is called after its cancel is confirmed, and no other is lost; exits 1 when that is not so.

``python -m bench.cancel_test`` spreads tasks over tiers by delays and retries, writes cancels for some by chance to
``control`` at full speed, and kills one of two workers in the midst of them.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.crew import crew, end, kill_and_start
from bench.ledgers import Accepted, Results, calls_of, waiting_tasks
from bench.machine import Others
from bench.oracle import SUCCEEDED, Anomaly, Verdict, judge
from bench.report import Shown, conclude
from bench.site import Site, site
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.kafka.clients import client_options, cluster_id
from streamer.core.command import Command, Verb
from streamer.wire.command_record import encode_command
from streamer.wire.instants import parse_instant
from streamer.wire.result_record import decode_result
from tests.support.arrival_log import LoggedArrival
from tests.support.topic_log import topic_log

_DOMAINS = 40
_NAME = "task"
_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many tasks, how many of them are cancelled, how long after they were taken in, and how long tasks wait at most."""

    tasks: int = 10_000
    cancels: int = 1_000
    after_s: float = 2.0
    seed: int = 1
    most_delay_s: int = 120


@dataclass(slots=True)
class Answers:
    """What was answered to each command, by its task: the first answer, and when it was decided and read."""

    results: Results
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    read_ms: dict[str, int] = field(default_factory=dict)
    #: What was told of each task last: for those that come to no end.
    last: dict[str, str] = field(default_factory=dict)

    def take(self, record: Any) -> None:
        """Read one record of results."""
        self.results.take(record)
        result = decode_result(record.value)
        why = result["why"]
        self.last[result["task_id"]] = f"{result['outcome']}, {why.get('reason')}, due {why.get('due_at')}"
        if "command_id" in result and result["task_id"] not in self.answered:
            self.answered[result["task_id"]] = result
            self.read_ms[result["task_id"]] = time.time_ns() // 1_000_000

    def confirmed(self) -> dict[str, int]:
        """Return the tasks whose cancel is confirmed, and since when, by the answer itself."""
        return {
            task: parse_instant(result["at"])
            for task, result in self.answered.items()
            if result["outcome"] == "cancelled"
        }

    def counts(self) -> Counter[str]:
        """Return how many answers of each kind there are."""
        return Counter(
            "cancelled" if result["outcome"] == "cancelled" else result["why"].get("detail") or result["why"]["reason"]
            for result in self.answered.values()
        )


def _request(made: Site, number: int, chance: random.Random, most_delay_s: int) -> Mapping[str, Any]:
    """Half of the tasks wait for their time, a fifth for a retry or two, the others are called at once.

    They fail with 425, which is tried again but opens no breaker: behind an open one little would go on.
    """
    domain, delay_s = number % _DOMAINS, chance.randint(1, most_delay_s)
    match number // _DOMAINS % 10:
        case 0 | 2 | 4:
            return made.request(domain, _NAME, number)
        case 1:
            return made.request(domain, _NAME, number, "fail/1/425", retry={"intervals": [f"{delay_s}s"]})
        case 3:
            intervals = [f"{delay_s // 2 + 1}s", f"{chance.randint(1, most_delay_s) // 2 + 1}s"]
            return made.request(domain, _NAME, number, "fail/2/425", retry={"intervals": intervals})
        case _:
            return made.request(domain, _NAME, number, delay=f"{delay_s}s")


async def run(made: Site, plan: Plan) -> tuple[list[Shown], dict[str, Any]]:
    """Run on a site, and judge."""
    place, chance = made.place, random.Random(plan.seed)
    accepted, results = Accepted(await cluster_id(client_options(place.bootstrap))), Results(place.partitions)
    answers = Answers(results)
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(
            topic_log(place.bootstrap, place.topics.results, place.partitions, answers.take)
        )
        workers = await stack.enter_async_context(crew(place, 2))
        for metadata in await made.publish(
            _request(made, number, chance, plan.most_delay_s) for number in range(plan.tasks)
        ):
            accepted.add(metadata, None)
        tasks = list(accepted.by_place.values())
        await made.taken_in(_NAME, range(_DOMAINS), plan.tasks, _WITHIN_S)
        await asyncio.sleep(plan.after_s)
        victims = {tasks[number]: number % _DOMAINS for number in chance.sample(range(plan.tasks), plan.cancels)}
        begun_s, called = time.monotonic(), len(made.arrivals.of(_NAME))
        halves = [dict(list(victims.items())[number::2]) for number in range(2)]
        await _cancel(made, halves[0])
        # The first half is being answered, and the second follows while nobody knows yet that a worker has gone.
        await log.until(lambda _: len(answers.answered) > 0, _WITHIN_S)
        killed_ms, cancelling = time.time_ns() // 1_000_000, asyncio.create_task(_cancel(made, halves[1]))
        await kill_and_start(place, workers, 0)
        await cancelling
        await log.until(lambda _: len(answers.answered) >= plan.cancels, _WITHIN_S)
        took_s = time.monotonic() - begun_s
        print(f"all cancels are answered after {took_s:.1f} s; waiting for the other tasks", flush=True)
        await results.until_ended(log, accepted, _WITHIN_S)
        waiting = set() if results.ended.issuperset(tasks) else await waiting_tasks(place, accepted)
        exit_codes = await end(workers)
        await log.to_end()
    calls = made.arrivals.of(_NAME)
    verdict = judge(tasks, calls_of(calls), results.told, waiting)
    before = sum(parse_instant(answer["at"]) < killed_ms for answer in answers.answered.values())
    told = f"{plan.cancels} cancels of {plan.tasks} tasks, {called} calls made before; "
    told += f"{before} answered when a worker was killed, all after {took_s:.1f} s"
    shown, figures = assess(answers, calls, verdict)
    return [Shown(told), *shown, Shown(f"exit codes {exit_codes}", not any(exit_codes))], figures


async def _cancel(made: Site, victims: Mapping[str, int]) -> None:
    """Write a cancel for each task, of the domain that is given, as fast as the broker takes them."""
    pending = []
    for task_id, domain in victims.items():
        now_ms = time.time_ns() // 1_000_000
        command = Command(f"cancel-{task_id}", Verb.CANCEL, task_id, made.lane(domain), None, None, "bench", now_ms)
        key, value = command.lane.encode(), encode_command(command)
        pending.append(await made.producer.send(made.place.topics.control, value, key, made.partition(domain)))
    await asyncio.gather(*pending)


def assess(answers: Answers, calls: Sequence[LoggedArrival], verdict: Verdict) -> tuple[list[Shown], dict[str, Any]]:
    """Compare the answers with the calls, and the ends with what was promised."""
    confirmed, counts = answers.confirmed(), answers.counts()
    after = [call.id for call in calls if call.at_ms > confirmed.get(call.id, call.at_ms)]
    after_reading = [call.id for call in calls if call.id in confirmed and call.at_ms > answers.read_ms[call.id]]
    # A call that was answered and whose worker died before it could tell: nobody knows of it, and the cancel holds.
    untold = set(verdict.anomalies[Anomaly.HIDDEN_SUCCESS]) & confirmed.keys()
    wrong = {kind: set(found) - untold for kind, found in verdict.anomalies.items() if set(found) - untold}
    succeeded = verdict.ends.get(SUCCEEDED, 0)
    others = verdict.tasks - len(confirmed)
    shown = [
        Shown("answers: " + ", ".join(f"{count} {answer}" for answer, count in counts.most_common())),
        Shown(
            f"calls after the instant of a confirmed cancel: {len(after)}, after it was read: {len(after_reading)}",
            not after,
        ),
        Shown(f"of {others} other tasks {succeeded} have succeeded", succeeded == others),
        Shown(f"anomalies: {', '.join(f'{len(tasks)} {kind}' for kind, tasks in wrong.items()) or 'none'}", not wrong),
        Shown(
            f"sent again because of the kill: {verdict.duplicate_calls}; cancelled after an answer nobody told: {len(untold)}"
        ),
    ]
    for kind in (Anomaly.LOST, Anomaly.UNSEEN):
        shown += [Shown(f"{kind}: {task}: {answers.last.get(task)}") for task in sorted(wrong.get(kind, ()))[:10]]
    figures = {"answers": dict(counts), "calls_after": len(after), "calls_after_reading": len(after_reading)}
    return shown, figures | {
        "ends": dict(verdict.ends),
        "wrong": {kind: sorted(tasks)[:5] for kind, tasks in wrong.items()},
    }


async def _alone(broker: EmbeddedBroker, directory: Path, plan: Plan) -> tuple[list[Shown], dict[str, Any]]:
    async with site(broker, directory, "cancel", _DOMAINS) as made:
        return await run(made, plan)


def main() -> None:
    """Run with a broker and two workers of its own, and print what came of it."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m bench.cancel_test", description=__doc__)
    parser.add_argument("--tasks", type=int, default=usual.tasks, help="tasks, over 40 domains")
    parser.add_argument("--cancels", type=int, default=usual.cancels, help="of these are cancelled")
    parser.add_argument("--seed", type=int, default=usual.seed, help="of which, and of how long they wait")
    args = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    others, plan = Others(), Plan(args.tasks, args.cancels, seed=args.seed)
    with tempfile.TemporaryDirectory(prefix="streamer-cancel-") as scratch:
        directory = Path(scratch)
        with EmbeddedBroker(BrokerOptions(directory / "kafka")) as broker:
            shown, figures = asyncio.run(_alone(broker, directory, plan))
    print(*shown, sep="\n")
    conclude("bench.cancel_test", shown, figures, others.cores())


if __name__ == "__main__":
    main()
