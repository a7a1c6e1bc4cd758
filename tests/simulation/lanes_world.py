"""Many lanes from a plan and a seed: tasks on their way through lanes, targets and tiers, as events in virtual time."""

from __future__ import annotations

import random
from collections import Counter
from math import ceil, inf
from typing import Any

from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.core.delivery import Why
from streamer.core.grant import Grant
from streamer.core.health import Health
from streamer.core.lane_book import LaneBook
from streamer.core.partitioning import partition_of, shard_of
from streamer.core.policy import Policy
from streamer.core.put_off import PutOff
from streamer.core.waiting import Waiting
from tests.core.samples import NOW_MS
from tests.simulation.lanes_fleet import FORGET_MS, Fleet
from tests.simulation.lanes_oracle import LanesOracle
from tests.simulation.lanes_parts import Task, Worker
from tests.simulation.lanes_plan import Plan
from tests.simulation.lanes_targets import Targets
from tests.simulation.lanes_timeline import Timeline

#: A slot of a limit across domains that is this near is waited for in hand.
NEAR_MS = 100
#: What a run may take at most in virtual time, after the last task has come.
LONGEST_MS = 24 * 3_600_000


class LanesWorld:
    """Plays a plan; ``tasks``, ``oracle`` and ``now_ms`` tell what came of it."""

    def __init__(self, plan: Plan, seed: int = 0) -> None:
        self.plan, self.random = plan, random.Random(seed)
        self.time = Timeline()
        self.policies = plan.book({})
        self.oracle = LanesOracle(lambda: self.policies)
        self.tasks: list[Task] = []
        self.open_tasks = plan.tasks
        self._targets = Targets(self.random)
        self._shared = MemorySharedLimits()
        self._fleet = Fleet(plan, self.random, self.time, self.oracle, lambda: self.policies, self._read)
        for number in range(plan.partitions):
            self._fleet.own(number, self._fleet.workers[number % plan.workers])
        self._shares = [domain.share for domain in plan.domains]
        self._names = list(plan.businesses)
        self._business_shares = [share for share, _ in plan.businesses.values()]
        self._schedule()

    def _schedule(self) -> None:
        plan, time, fleet = self.plan, self.time, self._fleet
        for after_ms, changed in plan.changes:
            time.at(NOW_MS + after_ms, self._change, changed)
        for after_ms in plan.moves:
            time.at(NOW_MS + after_ms, fleet.move)
        for after_ms in plan.crashes:
            time.at(NOW_MS + after_ms, fleet.crash)
        time.at(NOW_MS + FORGET_MS, fleet.forget_idle)
        for _ in range(plan.burst):
            self._read(self._produce())
        self._next_arrival(0)

    def play(self) -> LanesWorld:
        """Let everything happen until every task has ended."""
        time, latest_ms = self.time, NOW_MS + self.plan.span_ms + LONGEST_MS
        while self.open_tasks:
            if self._fleet.dirty and time.next_ms() > time.now_ms:
                self._look()
            elif time.next_ms() > latest_ms:
                self.oracle.violations.append(f"{self.open_tasks} tasks never ended")
                break
            else:
                time.step()
        self._judge_dead()
        return self

    @property
    def now_ms(self) -> int:
        """The instant."""
        return self.time.now_ms

    def _change(self, changed: dict[str, Policy]) -> None:
        self.policies = self.plan.book(changed)
        self._fleet.dirty.update(dict.fromkeys(self._fleet.workers))

    # Tasks come

    def _next_arrival(self, done: int) -> None:
        steady = self.plan.tasks - self.plan.burst
        if done < steady:
            at_ms = NOW_MS + self.plan.span_ms * done // steady
            self.time.at(at_ms, self._arrive, done)

    def _arrive(self, done: int) -> None:
        self._next_arrival(done + 1)
        self._read(self._produce())

    def _produce(self) -> Task:
        chance, plan, number = self.random, self.plan, len(self.tasks)
        [domain] = chance.choices(plan.domains, self._shares)
        [business] = chance.choices(self._names, self._business_shares)
        priority = chance.choice(plan.priorities)
        if plan.late is not None and number >= plan.burst:
            business, priority = plan.late
        shard = shard_of(f"tsk_{number}", self.policies.lane(domain.name).shards)
        task = Task(
            number,
            domain,
            shard,
            partition_of(domain.name, plan.partitions, shard),
            business,
            priority,
            chance.random() < plan.with_rate_key,
            self.now_ms,
            self.now_ms + chance.randrange(1_000, 600_000) if chance.random() < plan.expiring else inf,
        )
        self.tasks.append(task)
        return task

    def _read(self, task: Task) -> None:
        worker = self._fleet.reader(task.partition)
        if worker is None:
            self._fleet.unread[task.partition].append(task)
            return
        worker.in_hand[task.partition][task] = None
        if task.expires_ms <= self.now_ms:
            self._settle(worker, task, "expired")
        elif task.shares_key and task.slot_ms is None:
            self._reserve(worker, task)
        else:
            self._enter(worker, worker.books[task.partition], task)

    def _reserve(self, worker: Worker, task: Task) -> None:
        limits = self.policies.shared(task.business, None, "shared")
        horizon_ms = self.plan.tuning.horizon_ms
        slot_ms = _now(self._shared.reserve(limits, self.now_ms, horizon_ms))
        if slot_ms is None:
            again_ms = self.now_ms + round(horizon_ms * (0.5 + self.random.random() / 2))
            self._defer(worker, task, PutOff(Why.SHARED_LIMIT, again_ms, None, 0))
        elif slot_ms - self.now_ms > NEAR_MS:
            task.slot_ms = slot_ms
            self._defer(worker, task, PutOff(Why.SHARED_LIMIT, slot_ms, None, 0))
        else:
            self.time.at(slot_ms, self._enter, worker, worker.books[task.partition], task)

    def _enter(self, worker: Worker, book: LaneBook, task: Task) -> None:
        if worker.dead or worker.books.get(task.partition) is not book or task not in worker.in_hand[task.partition]:
            # Its partition has moved in the meantime.
            return
        lanes = worker.lanes
        lane = lanes.lane(task.domain.name, task.shard, book, self.now_ms)
        grant = lanes.begin_at_once(lane, task, task.business, self.now_ms)
        if grant is not None:
            self._begin(worker, grant)
            self._fleet.dirty[worker] = None
            return
        waiting = Waiting(task, task.business, task.priority, task.promise_ms, task.attempt > 1, 1_300, self.now_ms)
        lanes.offer(lane, waiting)
        self.oracle.waits(lane, waiting)
        self._fleet.dirty[worker] = None

    # Lanes

    def _look(self) -> None:
        dirty, self._fleet.dirty = self._fleet.dirty, {}
        for worker in dirty:
            if worker.dead:
                continue
            turn = worker.lanes.turn(self.now_ms)
            for task in turn.stale:
                lane = worker.lanes.lane(task.domain.name, task.shard, worker.books[task.partition], self.now_ms)
                self.oracle.left(lane, task.business, task.priority)
                self._settle(worker, task, "expired")
            for grant in turn.begun:
                self.oracle.left(grant.lane, grant.item.business, grant.item.priority)
                self._begin(worker, grant)
            for task, lane in turn.put_off:
                self.oracle.left(lane, task.business, task.priority)
                self._defer(worker, task, worker.lanes.put_off(lane, task.waits, self.now_ms))
            self._fleet.keep_soon(worker)
            self._arm(worker)

    def _arm(self, worker: Worker) -> None:
        at_ms = worker.lanes.next_ms()
        if at_ms < worker.alarm_ms:
            worker.alarm_ms = max(ceil(at_ms), self.now_ms + 1)
            self.time.at(int(worker.alarm_ms), self._ring, worker, worker.alarm_ms)

    def _ring(self, worker: Worker, alarm_ms: float) -> None:
        if worker.alarm_ms == alarm_ms:
            worker.alarm_ms = inf
            self._fleet.dirty[worker] = None

    def _begin(self, worker: Worker, grant: Grant[Task]) -> None:
        task = grant.item
        self.oracle.began(worker, grant, self.now_ms)
        worker.in_hand[task.partition][task] = grant
        if task.begun_ms is None:
            task.begun_ms = self.now_ms
        took_ms, health, pause_ms = self._targets.answer(task.domain, self.now_ms)
        self.time.at(self.now_ms + took_ms, self._end, worker, grant, health, pause_ms)

    def _end(self, worker: Worker, grant: Grant[Task], health: Health, pause_ms: int | None) -> None:
        if grant.ended or worker.dead:
            return
        task, lane = grant.item, grant.lane
        worker.lanes.end(grant, health, self.now_ms, pause_ms)
        self.oracle.ended(worker, grant)
        self._fleet.dirty[worker] = None
        not_before_ms = 0
        if pause_ms is not None:
            not_before_ms = self.now_ms + pause_ms
            self.oracle.paused(lane, not_before_ms)
        if health is Health.OK:
            self._settle(worker, task, "succeeded")
        elif task.attempt > len(self.plan.retries_ms):
            self._settle(worker, task, "failed")
        else:
            wait_ms = self.plan.retries_ms[task.attempt - 1]
            task.attempt += 1
            task.promise_ms, task.waits, task.slot_ms, task.lost = None, 0, None, 0
            task.due_ms = max(self.now_ms + wait_ms, not_before_ms)
            self._lay(worker, task, task.due_ms)

    def _settle(self, worker: Worker, task: Task, state: str) -> None:
        if task.ended is not None:
            self.oracle.violations.append(f"task {task.number} ended as {state} after it had {task.ended}")
        task.ended = state
        self.open_tasks -= 1
        del worker.in_hand[task.partition][task]

    def _defer(self, worker: Worker, task: Task, wait: PutOff) -> None:
        task.promise_ms, task.waits, task.deferrals = wait.promise_ms, wait.waits, task.deferrals + 1
        self.oracle.deferred(task, wait.why, wait.due_at_ms, self.now_ms)
        self._lay(worker, task, wait.due_at_ms)

    def _lay(self, worker: Worker, task: Task, due_ms: int) -> None:
        del worker.in_hand[task.partition][task]
        # Hold releases at the due time; the record takes a little from there.
        self.time.at(max(due_ms, self.now_ms) + self.random.randint(2, 40), self._read, task)

    # What came of it

    def _judge_dead(self) -> None:
        passed_ms = self.now_ms - NOW_MS
        for domain in self.plan.domains:
            ends_ms = [since_ms for since_ms, _ in domain.manners[1:]] + [passed_ms]
            dead_ms = sum(
                max(0, min(end_ms, passed_ms) - since_ms)
                for (since_ms, manner), end_ms in zip(domain.manners, ends_ms, strict=True)
                if manner.dead
            )
            limits = self.plan.book({}).lane(domain.name)
            places = {partition_of(domain.name, self.plan.partitions, shard) for shard in range(limits.shards)}
            takeovers = sum(self.oracle.takeovers[number] for number in places)
            self.oracle.judge_dead(domain.name, limits.concurrency, limits.shards, dead_ms, takeovers)

    def waits_ms(self, domain: str) -> list[int]:
        """Return how long each task of a domain waited for its first call, in order of length."""
        return sorted(
            task.begun_ms - task.arrived_ms
            for task in self.tasks
            if task.domain.name == domain and task.begun_ms is not None
        )

    def states(self) -> Counter[str | None]:
        """Count the ends."""
        return Counter(task.ended for task in self.tasks)


def _now(reserving: Any) -> Any:
    """Run a coroutine that waits for nothing."""
    try:
        reserving.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("the shared limits in memory wait for nothing")
