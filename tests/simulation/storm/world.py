"""The whole of it in virtual time: producers, operators, a broker, three workers that die, targets that misbehave."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.core.emit import DeadLetterOf, Due, FirstPass, Held, ResultOf
from streamer.core.identity import business_task_id
from streamer.core.reading import Accepted
from streamer.core.request import Request
from streamer.flow.intake import RawRequest
from tests.simulation.storm.broker import CLAIMS, CONTROL, REQUESTS, TIER_NAMES, Broker, Place, home_of
from tests.simulation.storm.crash_points import CrashPoint
from tests.simulation.storm.group import Group
from tests.simulation.storm.loop import LoopClock, VirtualLoop
from tests.simulation.storm.oracle import Oracle
from tests.simulation.storm.plan import CALM, PARTITIONS, Arrival, Order, Plan
from tests.simulation.storm.plant import Plant
from tests.simulation.storm.process import Process
from tests.simulation.storm.rules import Rule
from tests.simulation.storm.targets import Targets

TIMEOUT_MS = 10_000


class World:
    """Plays a plan; ``oracle`` and the counters tell what came of it."""

    def __init__(self, plan: Plan, plant: Plant | None = None, *, journal: bool = False) -> None:
        self.plan = plan
        self.plant = plant or Plant()
        self.loop = VirtualLoop()
        self.clock = LoopClock(self.loop)
        self.chance = random.Random(f"world {plan.seed}")
        self.chances = plan.chances
        self.book = plan.book()
        self.broker = Broker(lambda: self.loop.now_ms)
        self.broker.appended = self._appended
        self.oracle = Oracle(lambda: self.loop.now_ms, self.book, journal=journal)
        self.targets = Targets(plan.seed, plan.domains, lambda: self.loop.now_ms)
        self.shared = MemorySharedLimits()
        self.owner: list[Process | None] = [None] * PARTITIONS
        self.late_keys: list[set[bytes]] = [set() for _ in range(PARTITIONS)]
        self.relayed: set[int] = set()
        self.away: dict[Process, bool] = {}
        self.deaths: Counter[CrashPoint | None] = Counter()
        self.blows: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.orders: Counter[str] = Counter()
        self.forgotten = self.restated = 0
        self._task_ids: list[str] = []
        self._commands = 0

    def play(self) -> World:
        """Let everything happen until nothing is left to do, or a rule was broken."""
        asyncio._set_running_loop(self.loop.as_loop)
        # The faults that are injected here are logged as any others are.
        logging.disable(logging.CRITICAL)
        try:
            self._group = Group(self)
            self._schedule()
            self._group.deal()
            self.loop.settle()
            self._run(self.plan.last_ms, until_done=False)
            self.chances = CALM
            self._run(self.plan.last_ms + self.plant.longest_ms, until_done=True)
            if not self.oracle.violations:
                self._judge_end()
        finally:
            for member in self._group.members:
                member.end()
            self.loop.settle()
            asyncio._set_running_loop(None)
            logging.disable(logging.NOTSET)
        return self

    def _run(self, end_ms: float, *, until_done: bool) -> None:
        loop, violations = self.loop, self.oracle.violations
        while loop.next_ms() <= end_ms and not violations:
            loop.jump()
            if until_done and not self.oracle.open_tasks and self._at_rest():
                return

    def _at_rest(self) -> bool:
        return all(
            self.owner[number] is not None and self.broker.committed[topic, number] == len(log)
            for (topic, number), log in self.broker.logs.items()
        )

    def _judge_end(self) -> None:
        self.oracle.close()
        for error in self.loop.errors:
            self.oracle.broken(Rule.LOST, f"a task of the event loop failed: {error}")
        if not self.oracle.violations and not self._at_rest():
            self.oracle.broken(Rule.LOST, "a record was never done")

    # The plan

    def _schedule(self) -> None:
        for arrival in self.plan.arrivals:
            self.loop.after_ms(arrival.at_ms, self._arrive, arrival)
        for order in self.plan.orders:
            self.loop.after_ms(order.at_ms, self._order, order)
        for blow in self.plan.blows:
            self.loop.after_ms(blow.at_ms, self._group.strike, blow)

    def _arrive(self, arrival: Arrival) -> None:
        lane = self.plan.domains[arrival.domain].name
        place = (REQUESTS, arrival.number % PARTITIONS)
        now_ms = self.clock.now_ms()
        raw = RawRequest("cluster", *place, len(self.broker.logs[place]), now_ms, None, None, ())
        expires_ms = None if arrival.expires_in_ms is None else now_ms + arrival.expires_in_ms
        request = Request(
            f"https://{lane}/hook",
            body=(arrival.business_id or str(arrival.number)).encode(),
            timeout_ms=TIMEOUT_MS,
            retry=arrival.retry,
            expires_at_ms=expires_ms,
            priority=arrival.priority,
        )
        reading = Accepted(None, "acme", arrival.business_id, request, None, arrival.delay_ms, lane)
        task_id = business_task_id("acme", arrival.business_id) if arrival.business_id else raw.derived_id
        self.oracle.accepted(task_id)
        self._task_ids.append(task_id)
        self.broker.append(*place, (raw, reading))

    def _order(self, order: Order) -> None:
        if not self._task_ids:
            return
        view = self.oracle.views[self._task_ids[int(order.pick * len(self._task_ids))]]
        delivery = view.newest
        if delivery is None:
            return
        entry = view.newest_entry()
        expects = entry.generation if entry is not None else delivery.generation
        self._commands += 1
        self.orders[order.verb] += 1
        lane = delivery.lane
        on: Delivery | None = None if order.verb is Verb.CANCEL else delivery
        if order.verb is Verb.UPDATE:
            on = self._updated(delivery, elsewhere=order.elsewhere)
        expect = None if order.verb is Verb.CANCEL and not order.forced else expects
        command = Command(
            f"cmd_{self._commands}",
            order.verb,
            view.task_id,
            lane,
            expect,
            on,
            "ops",
            self.clock.now_ms(),
            order.forced,
        )
        self.oracle.note(view.task_id, f"ordered: {order.verb}, generation {expect} expected")
        for _ in range(1 + order.twice):
            self.broker.append(CONTROL, home_of(delivery), command)

    def _updated(self, delivery: Delivery, *, elsewhere: bool) -> Delivery:
        lane = delivery.lane
        if elsewhere:
            # Never into shards: the shard of a task that moves is deliver's to choose.
            lane = self.plan.domains[2 + self._commands % (len(self.plan.domains) - 2)].name
        request = replace(delivery.request, url=f"https://{lane}/hook", body=delivery.request.body + b"+")
        return replace(delivery, lane=lane, request=request)

    # What the seams ask

    def _appended(self, topic: str, partition: int) -> None:
        owner = self.owner[partition]
        if owner is not None and not owner.dead:
            owner.appended(topic, partition)

    def died(self, process: Process, point: CrashPoint | None) -> None:
        """Note a death."""
        self.deaths[point] += 1
        if self.oracle.journal is not None:
            self.oracle.note(None, f"worker {process.slot} dies: {point or 'anywhere'}")
        self._group.died(process)

    def check_owner(self, process: Process, delivery: Delivery) -> None:
        """Judge whether a process may send for a partition."""
        if self.owner[home_of(delivery)] is not process or not process.lease.held():
            self.oracle.broken(Rule.NOT_OWNER, f"worker {process.slot}", delivery.task_id)

    def refused(self, items: Sequence[Any]) -> None:
        """Note that the broker refused a write: what was sent may be sent again."""
        self.injected["write refused"] += 1
        for item in items:
            task_id = _task_of(item)
            view = self.oracle.views.get(task_id) if task_id else None
            if view is not None:
                view.excused += 1

    def commit(self, process: Process, place: Place, end: int) -> None:
        """Take a commit, and judge each record that it passes."""
        topic, number = place
        if self.owner[number] is not process:
            return
        before, self.broker.committed[place] = self.broker.committed[place], end
        if end < before:
            self.oracle.broken(Rule.OFFSET_BACK, f"{topic} of {number}: from {before} to {end}")
        for record in self.broker.logs[place][before:end]:
            self._passed(topic, number, record)

    def _passed(self, topic: str, number: int, record: Any) -> None:
        oracle = self.oracle
        if topic == REQUESTS:
            raw = record[0]
            if (raw.partition, raw.offset) not in oracle.taken:
                oracle.broken(Rule.OFFSET_OVERRUN, f"request {raw.partition}:{raw.offset}")
        elif topic == CLAIMS:
            if (record.origin.partition, record.origin.offset) not in oracle.passed:
                oracle.broken(
                    Rule.OFFSET_OVERRUN, f"a claim of {record.origin.partition}:{record.origin.offset}", record.task_id
                )
        elif topic in TIER_NAMES:
            if id(record) not in self.relayed:
                oracle.broken(Rule.OFFSET_OVERRUN, f"tier {topic} of {number}", record.record.task_id)
            oracle.committed(topic, number, record.record)
        elif isinstance(record, Delivery):
            oracle.committed(topic, number, record)
        elif isinstance(record, Command):
            oracle.answered_by_commit(record)


def _task_of(item: Any) -> str | None:
    if isinstance(item, FirstPass | Held | Due | DeadLetterOf):
        return item.delivery.task_id
    return item.task_id if isinstance(item, ResultOf) else None
