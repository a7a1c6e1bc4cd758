"""One stage of a worker by itself, in a process of its own, put together as a worker does it.

``python -m bench.hop --config FILE --stage intake --count 10000`` says a line when it is ready, begins at the next line of
its input, and tells its CPU as JSON once so many records are through. Used by bench.hops.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer

from bench.machine import cpu
from bench.outcomes import ends_of
from bench.samples import changes, deliveries, results
from streamer.adapters.calendar.cron import CronCalendar
from streamer.adapters.kafka.clients import client_options, cluster_id
from streamer.adapters.kafka.outbox import KafkaOutbox
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.kafka.schedule_state import ScheduleState
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.system import SystemClock
from streamer.bootstrap.plan import Plan
from streamer.bootstrap.stages import make_config, make_intake, make_tier_log
from streamer.cli.setup import kafka_options, limits_of, topics_of
from streamer.core.emit import Held
from streamer.flow.hold import Hold
from streamer.settings.load import load
from streamer.wire.outgoing import Encoder

#: What settles together under load, about.
_GROUP = 50
_LOOK_S = 0.05
Stage = Callable[[Plan, int], AbstractAsyncContextManager[Awaitable[None]]]


@asynccontextmanager
async def _intake(plan: Plan, count: int) -> AsyncIterator[Awaitable[None]]:
    clock, meter = SystemClock(), PrometheusMeter()
    config = make_config(plan, meter, ScheduleState(plan.limits, CronCalendar(), meter, clock.now_ms))
    intake, producer = make_intake(plan, Encoder(plan.topics), clock, meter, config)
    running = asyncio.create_task(intake.run())
    await intake.joined.wait()
    yield _until(plan, plan.topics.deliveries, count)
    await _end(running)
    await producer.close()


@asynccontextmanager
async def _tier(plan: Plan, count: int) -> AsyncIterator[Awaitable[None]]:
    clock, meter, encode = SystemClock(), PrometheusMeter(), Encoder(plan.topics)
    tier_log, producer = make_tier_log(plan, encode, clock, meter)
    running = asyncio.create_task(tier_log.run(Hold(tier_log, clock, meter, plan.topics.tiers)))
    await tier_log.joined.wait()
    tier, now_ms = plan.topics.tiers[0].name, clock.now_ms()
    held = [Held(delivery, tier, now_ms) for delivery in deliveries(count)]

    async def wait_once() -> None:
        async with _outbox(plan) as outbox:
            for some in _groups(held):
                await outbox.publish(some)
            await _until(plan, plan.topics.due, count)

    yield wait_once()
    await _end(running)
    await producer.close()


@asynccontextmanager
async def _results(plan: Plan, count: int) -> AsyncIterator[Awaitable[None]]:
    told = results(count)

    async def publish() -> None:
        for some in _groups(told):
            await outbox.publish(some)

    async with _outbox(plan) as outbox:
        yield publish()


@asynccontextmanager
async def _state(plan: Plan, count: int) -> AsyncIterator[Awaitable[None]]:
    entries = changes(count, plan.topics.partitions)

    async def log() -> None:
        for some in _groups(entries):
            await outbox.log(some)

    async with _outbox(plan) as outbox:
        yield log()


STAGES: dict[str, Stage] = {"intake": _intake, "tier": _tier, "results": _results, "state": _state}


@asynccontextmanager
async def _outbox(plan: Plan) -> AsyncIterator[KafkaOutbox]:
    producer = DurableProducer(plan.client_options, linger_ms=plan.settings.kafka.linger_ms)
    # The first write connects.
    await producer.write([])
    try:
        yield KafkaOutbox(producer, Encoder(plan.topics), plan.topics.tasks_changelog, lambda *_: None)
    finally:
        await producer.close()


def _groups(values: Sequence[Any]) -> list[list[Any]]:
    left = iter(values)
    return list(iter(lambda: list(islice(left, _GROUP)), []))


async def _until(plan: Plan, topic: str, count: int) -> None:
    consumer = AIOKafkaConsumer(**plan.client_options)
    await consumer.start()
    try:
        while sum((await ends_of(consumer, topic, plan.topics.partitions)).values()) < count:  # noqa: ASYNC110 - a topic gives no signal
            await asyncio.sleep(_LOOK_S)
    finally:
        await consumer.stop()


async def _end(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _run(config: Path, stage: str, count: int) -> None:
    settings = load(config, environ={}).settings
    options = client_options(**kafka_options(settings))
    plan = Plan(settings, topics_of(settings), limits_of(settings), options, await cluster_id(options), stage)
    async with STAGES[stage](plan, count) as work:
        print(json.dumps({"event": "hop.ready"}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        before, begun_s = cpu(os.getpid()), time.monotonic()
        await work
        told = {"cpu_ms": cpu(os.getpid()).since(before).ms, "took_s": time.monotonic() - begun_s}
        print(json.dumps(told), flush=True)


def main() -> None:
    """Do one stage's work."""
    parser = argparse.ArgumentParser(prog="python -m bench.hop", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--count", type=int, required=True)
    args = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    uvloop.run(_run(args.config, args.stage, args.count))


if __name__ == "__main__":
    main()
