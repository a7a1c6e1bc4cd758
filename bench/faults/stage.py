"""An installation whose tasks a case writes itself: receivers, workers, and all that the topics tell."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.crew import end
from bench.faults.ground import Ground
from bench.ledgers import Accepted, Results, calls_of, waiting_tasks
from bench.oracle import Verdict, judge
from streamer.adapters.kafka.clients import client_options, cluster_id
from streamer.wire.config_key import key_of
from streamer.wire.config_model import Kind
from streamer.wire.config_record import encode_config
from streamer.wire.result_record import decode_result
from tests.support.domains import Domains, many_domains
from tests.support.installation import Installation
from tests.support.topic_log import TopicLog, topic_log
from tests.support.worker import WorkerProcess

_BATCH = 2_000
#: How soon a worker comes up is nobody's question here, and machines that build are slow.
READY_S = 90.0
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a case is played on."""

    domains: int
    workers: int = 1
    #: Settings of the workers that are not those of every run.
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """What a case acts with and looks at."""

    place: Installation
    domains: Domains
    producer: AIOKafkaProducer
    workers: list[WorkerProcess]
    accepted: Accepted
    results: Results
    #: Every record of results, in the order of reading.
    told: TopicLog[Result]
    #: Exit codes of the workers, once they were asked to end.
    exit_codes: Sequence[int] = ()

    def url(self, domain: int, path: str) -> str:
        """Return a URL of a domain; the path chooses its answers."""
        return f"{self.domains.urls[domain]}/{path}"

    def lane(self, domain: int) -> str:
        """Return the lane of a domain."""
        return self.domains.urls[domain].removeprefix("http://")

    async def publish(self, requests: Iterable[Mapping[str, Any]]) -> list[str]:
        """Write requests as fast as the broker takes them; return their tasks once all are acknowledged."""
        left, tasks = list(requests), []
        for first in range(0, len(left), _BATCH):
            some = left[first : first + _BATCH]
            pending = [
                await self.producer.send(self.place.topics.requests, json.dumps(request).encode()) for request in some
            ]
            for request, metadata in zip(some, await asyncio.gather(*pending), strict=True):
                self.accepted.add(metadata, request.get("id"))
                tasks.append(self.accepted.by_place[metadata.partition, metadata.offset])
        return tasks

    async def configure_lane(self, lane: str, **fields: Any) -> None:
        """Give a domain its limits, by a record on ``config``."""
        key, value = key_of(Kind.DOMAIN, lane), encode_config(fields)
        await self.producer.send_and_wait(self.place.topics.config, value, key.encode(), partition=0)

    async def kill_all(self, down_s: float) -> None:
        """End all workers without a word, and start them again after a while; returns when they are ready."""
        for worker in self.workers:
            worker.kill()
        await asyncio.sleep(down_s)
        self.workers[:] = [WorkerProcess(self.place, worker.name, (), {}) for worker in self.workers]
        await asyncio.gather(*[worker.ready(READY_S) for worker in self.workers])

    async def deferred(self, count: int, within_s: float = 60.0) -> None:
        """Return once so many tasks were told to wait; AssertionError when it takes longer."""
        await self.told.until(lambda told: len({r["task_id"] for r in told if not r["final"]}) >= count, within_s)

    async def ended(self, within_s: float) -> Verdict:
        """Wait until every accepted task has its end, end the workers, and judge; the verdict names tasks without one."""
        tasks = self.accepted.by_place.values()
        await self.results.until_ended(self.told, self.accepted, within_s)  # type: ignore[arg-type]
        waiting = set() if self.results.ended.issuperset(tasks) else await waiting_tasks(self.place, self.accepted)
        self.exit_codes = await end(self.workers)
        await self.told.to_end()
        # The receivers write what arrived at most 50 ms later.
        await asyncio.sleep(0.1)
        return judge(list(tasks), calls_of(self.domains.arrivals()), self.results.told, waiting)


@asynccontextmanager
async def stage(ground: Ground, setting: Setting) -> AsyncIterator[Stage]:
    """Set a stage whose workers are ready; all of it has ended when the context does."""
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(ground.installation(setting.settings))
        domains = await stack.enter_async_context(many_domains(setting.domains, place.directory / "arrivals.jsonl"))
        results = Results(place.partitions)

        def take(record: Any) -> Result:
            results.take(record)
            return decode_result(record.value)

        told = await stack.enter_async_context(topic_log(place.bootstrap, place.topics.results, place.partitions, take))
        producer = AIOKafkaProducer(
            bootstrap_servers=place.bootstrap,
            acks="all",
            enable_idempotence=True,
            max_request_size=place.topics.max_message_bytes,
        )
        await producer.start()
        stack.push_async_callback(producer.stop)
        workers = await stack.enter_async_context(_workers(place, setting.workers))
        accepted = Accepted(await cluster_id(client_options(place.bootstrap)))
        yield Stage(place, domains, producer, workers, accepted, results, told)


@asynccontextmanager
async def _workers(place: Installation, count: int) -> AsyncIterator[list[WorkerProcess]]:
    """Start workers at once, all of them ready; whoever is in the list when the context ends has ended."""
    workers = [WorkerProcess(place, f"w{number}", (), {}) for number in range(count)]
    try:
        for worker in workers:
            await worker.ready(READY_S)
        yield workers
    finally:
        for worker in workers:
            await worker.clear_away()


def told_of(verdict: Verdict) -> list[str]:
    """Return what the oracle found, in a few words."""
    found = [f"{kind.value} {len(tasks)}" for kind, tasks in verdict.anomalies.items() if tasks]
    return [f"{verdict.tasks} tasks", ", ".join(found) or "no anomaly", f"sent again {verdict.duplicate_calls}"]


def now_ms() -> int:
    """Return the wall clock in ms since 1970."""
    return time.time_ns() // 1_000_000
