"""A worker: intake, claim, deliver and hold in one process, from a checked start to a drained end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import faust
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamer.adapters.extensions.listeners import Listeners
from streamer.adapters.kafka import positions
from streamer.adapters.kafka.clients import Unreachable
from streamer.adapters.kafka.clock_watch import ClockWatch
from streamer.adapters.kafka.config_log import ConfigLog
from streamer.adapters.kafka.guards import Guards
from streamer.adapters.kafka.intake import KafkaIntake
from streamer.adapters.kafka.late_writes import LateWrites
from streamer.adapters.kafka.ownership import Ownership
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.kafka.tier_log import KafkaTierLog
from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.redis.shared_limits import RedisSharedLimits
from streamer.adapters.store.marker_file import MarkerFile
from streamer.flow.claim import ClaimStage
from streamer.flow.deliver import Deliver
from streamer.flow.hold import Hold
from streamer.flow.restate import restate
from streamer.flow.scheduler import Scheduler
from streamer.flow.sweep import Passed, overdue, sweep
from streamer.ports import Abandoned, Clock, Outbox, Sender

log = logging.getLogger(__name__)

_SWEEP_S = 30.0
_STOP_S = 5.0


@dataclass(slots=True)
class Parts:
    """What a worker is made of; the bootstrap puts it together."""

    client_options: Mapping[str, Any]
    config: ConfigLog
    config_deadline_s: float
    intake_group: str
    requests_topic: str
    deliver_topics: Sequence[str]
    clock: Clock
    meter: PrometheusMeter
    marker: MarkerFile
    sender: Sender
    ownership: Ownership
    outbox: Outbox
    late_writes: LateWrites
    deliver: Deliver
    claim: ClaimStage
    intake: KafkaIntake
    hold: Hold
    tier_log: KafkaTierLog
    scheduler: Scheduler
    producers: Sequence[DurableProducer]
    app: faust.App
    drain_s: float
    guards: Guards
    clocks: ClockWatch
    shared: MemorySharedLimits | RedisSharedLimits = field(default_factory=MemorySharedLimits)
    listeners: Listeners | None = None


class Worker:
    """Runs the parts. ``run`` returns the reason when the worker must end by itself, None when it was asked to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tasks: list[asyncio.Task[None]] = []
        #: So many of them, the first, stay until what is in hand has drained; 0 before Faust is started.
        self._lasting = 0

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None]) -> str | None:
        """Start, run until ``stop`` is set or a part fails, then drain."""
        parts = self._parts
        failure: str | None = None
        try:
            failure = await self._read_config(stop)
            if failure is None and not stop.is_set():
                failure = await parts.clocks.refusal()
            if failure is None and not stop.is_set():
                await self._start()
                ready = asyncio.create_task(self._tell_ready(on_ready))
                failure = await self._until(stop)
                ready.cancel()
        finally:
            await self._stop()
            if failure is None:
                parts.marker.close()
        return failure

    async def _read_config(self, stop: asyncio.Event) -> str | None:
        """Read the policies to their end, before anything is sent (RULES 40); return why that failed."""
        config, deadline_s = self._parts.config, self._parts.config_deadline_s
        self._spawn(config.run())
        waiting = [asyncio.create_task(event.wait()) for event in (config.caught_up, stop)]
        await asyncio.wait([*waiting, *self._tasks], timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if config.caught_up.is_set() or stop.is_set():
            return None
        why = config.trouble or "the broker answers too slowly"
        return f"{config.topic} could not be read to its end within {deadline_s:g} s (kafka.produce_timeout_s): {why}"

    async def _start(self) -> None:
        parts = self._parts
        parts.app.finalize()
        consumer = parts.app.consumer
        parts.ownership.seek_back = consumer.seek_back
        parts.ownership.rejoin = consumer.rejoin
        parts.ownership.ends = consumer.ends
        await parts.shared.start()
        self._spawn(parts.deliver.settler.run())
        self._spawn(parts.deliver.keeper.run())
        self._spawn(parts.claim.run())
        self._spawn(parts.ownership.watch_lease())
        self._lasting = len(self._tasks)
        # Before Faust joins the group and recovers, which may never end.
        parts.guards.start()
        await parts.app.start()
        self._spawn(parts.intake.run())
        self._spawn(parts.tier_log.run(parts.hold))
        self._spawn(parts.scheduler.run())
        self._spawn(self._sweep_now_and_then())
        self._spawn(parts.guards.run())
        self._spawn(parts.clocks.run())

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(job, name=getattr(job, "__qualname__", None)))

    async def _tell_ready(self, on_ready: Callable[[], None]) -> None:
        parts = self._parts
        for needed in (parts.ownership.ready, parts.intake.joined, parts.tier_log.joined, parts.clocks.agrees):
            await needed.wait()
        on_ready()

    async def _until(self, stop: asyncio.Event) -> str | None:
        asked = asyncio.create_task(stop.wait())
        crashed = asyncio.create_task(self._parts.app.wait_until_stopped())
        failed = self._parts.ownership.failed
        try:
            await asyncio.wait([asked, crashed, failed, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            crashed.cancel()
        if failed.done():
            return failed.result()
        for task in self._tasks:
            if task.done():
                return f"a part of the worker ended, {task.get_name()}: {task.exception()!r}"
        if not stop.is_set():
            return "Faust ended by itself; its log says why"
        return None

    async def _stop(self) -> None:
        """Intake and hold stop first, then deliver drains and commits; every step has a deadline."""
        parts = self._parts
        parts.guards.stop()
        # Intake, hold, the schedules and the sweep bring new work. The policies and deliver's own tasks stay until it has drained.
        for task in self._tasks[self._lasting :]:
            task.cancel()
        await _ended(self._tasks[self._lasting :], _STOP_S)
        if self._lasting:
            # Before Faust stops its agents: what is in hand settles, and its offsets are committed.
            with suppress(Exception):
                await asyncio.wait_for(parts.app.consumer.drain(), parts.drain_s + _STOP_S)
            with suppress(Exception):
                await asyncio.wait_for(parts.app.stop(), _STOP_S)
        for task in self._tasks:
            task.cancel()
        await _ended(self._tasks, 1.0)
        with suppress(Exception):
            await asyncio.wait_for(parts.sender.close(), 1.0)
        with suppress(Exception):
            await asyncio.wait_for(parts.shared.close(), 1.0)
        if parts.listeners is not None:
            # After all that is written: the last events are of what has just drained.
            await parts.listeners.close()
        await parts.late_writes.close()
        for producer in parts.producers:
            await producer.close()

    async def _sweep_now_and_then(self) -> None:
        while True:
            await self._parts.clock.sleep_ms(_SWEEP_S * 1000)
            with suppress(Abandoned):
                try:
                    await self._sweep()
                except (KafkaError, OSError, Unreachable) as error:
                    log.warning("the tables were not swept, will be tried again: %r", error)

    async def _sweep(self) -> None:
        parts, now_s = self._parts, self._parts.clock.now_ms() / 1000
        read = await positions.committed(parts.client_options, parts.intake_group)
        requests = {tp.partition: end for tp, end in read.items() if tp.topic == parts.requests_topic}
        parts.deliver.keeper.forget_idle()
        late = kept = 0
        assignment = parts.ownership.assignment
        await parts.late_writes.look({number: parts.ownership.local(number) for number in assignment.owned})
        for number, owned in assignment.owned.items():
            parts.meter.count("entries_restated", await restate(owned, parts.outbox, parts.deliver.release))
            ends = {topic: assignment.committed.get(TopicPartition(topic, number), 0) for topic in parts.deliver_topics}
            barriers = assignment.barriers[number]
            barriers.move(ends, now_s)
            passed = Passed(now_s, barriers.safe_before_s, requests)
            gone = await sweep(owned, passed, parts.outbox, parts.deliver.release)
            parts.meter.count("entries_forgotten", gone)
            await parts.claim.forget_old(owned)
            late += await overdue(owned, now_s)
            kept += len(owned.table)
        parts.meter.gauge("tasks_overdue", late)
        parts.meter.gauge("entries", kept, "all")


async def _ended(tasks: Sequence[asyncio.Task[None]], deadline_s: float) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=deadline_s)
