"""Many lanes from a plan and a seed: workers, partitions, targets and tiers as events in virtual time, without a loop."""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Any

from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.core.breaker import BreakerState
from streamer.core.delivery import Why
from streamer.core.grant import Grant
from streamer.core.health import Health
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import lane_digest, pack_lane
from streamer.core.lanes import Lanes
from streamer.core.partitioning import partition_of, shard_of
from streamer.core.put_off import PutOff
from streamer.core.waiting import Waiting
from tests.core.samples import NOW_MS
from tests.simulation.lanes_oracle import LanesOracle
from tests.simulation.lanes_plan import Domain, Manner, Plan

#: From a worker's death until its partitions have another owner, and from a handover's beginning until it is forced.
SESSION_MS, DRAIN_MS = 10_000, 8_000
STATE_MS, FORGET_MS = 250, 60_000
NEAR_MS = 100
#: What a run may take at most in virtual time, after the last task has come.
LONGEST_MS = 24 * 3_600_000


@dataclass(slots=True, eq=False)
class Task:
    """A task and where it stands; ``lost`` counts calls of it whose end nobody learned."""

    number: int
    domain: Domain
    shard: int
    partition: int
    business: str
    priority: int
    shares_key: bool
    arrived_ms: int
    expires_ms: float
    due_ms: int = 0
    attempt: int = 1
    promise_ms: int | None = None
    waits: int = 0
    slot_ms: int | None = None
    lost: int = 0
    deferrals: int = 0
    begun_ms: int | None = None
    ended: str | None = None


@dataclass(slots=True, eq=False)
class Worker:
    """A process: its lanes, the books of its partitions, and the tasks in hand of each partition."""

    name: str
    lanes: Lanes[Task]
    books: dict[int, LaneBook] = field(default_factory=dict)
    draining: set[int] = field(default_factory=set)
    in_hand: defaultdict[int, dict[Task, Grant[Task] | None]] = field(default_factory=lambda: defaultdict(dict))
    alarm_ms: float = inf
    keeping: bool = False
    dead: bool = False


class LanesWorld:
    """Plays a plan; ``played`` tasks, ``oracle`` and ``now_ms`` tell what came of it."""

    def __init__(self, plan: Plan, seed: int = 0) -> None:
        self.plan, self.random = plan, random.Random(seed)
        self.now_ms = NOW_MS
        self.policies = plan.book({})
        self.oracle = LanesOracle(lambda: self.policies)
        self.tasks: list[Task] = []
        self.open_tasks = plan.tasks
        self._shared = MemorySharedLimits()
        self._events: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self._dirty: dict[Worker, None] = {}
        self._unread: defaultdict[int, deque[Task]] = defaultdict(deque)
        self._changelog: defaultdict[int, dict[bytes, bytes | None]] = defaultdict(dict)
        self._taken: defaultdict[str, deque[int]] = defaultdict(deque)
        self.workers = [self._worker() for _ in range(plan.workers)]
        self._owner: dict[int, Worker | None] = {}
        for number in range(plan.partitions):
            self._own(number, self.workers[number % plan.workers])
        self._schedule()

    def _worker(self) -> Worker:
        lanes: Lanes[Task] = Lanes(
            lambda: self.policies,
            self.plan.in_flight,
            None,
            self.plan.tuning,
            lambda task, now_ms: task.expires_ms <= now_ms,
        )
        return Worker(f"w{self.random.getrandbits(40):x}", lanes)

    def _schedule(self) -> None:
        plan = self.plan
        for after_ms, changed in plan.changes:
            self._at(NOW_MS + after_ms, self._change, changed)
        for after_ms in plan.moves:
            self._at(NOW_MS + after_ms, self._move)
        for after_ms in plan.crashes:
            self._at(NOW_MS + after_ms, self._crash)
        self._at(NOW_MS + FORGET_MS, self._forget_idle)
        self._shares = [domain.share for domain in plan.domains]
        self._names = list(plan.businesses)
        self._business_shares = [share for share, _ in plan.businesses.values()]
        for _ in range(plan.burst):
            self._read(self._produce())
        self._steady = plan.tasks - plan.burst
        self._next_arrival(0)

    # Time

    def play(self) -> LanesWorld:
        """Let everything happen until every task has ended."""
        events, latest_ms = self._events, NOW_MS + self.plan.span_ms + LONGEST_MS
        while self.open_tasks:
            if self._dirty and (not events or events[0][0] > self.now_ms):
                self._look()
                continue
            if not events or events[0][0] > latest_ms:
                self.oracle.violations.append(f"{self.open_tasks} tasks never ended")
                break
            at_ms, _, act, what = heapq.heappop(events)
            self.now_ms = max(self.now_ms, at_ms)
            act(*what)
        self._judge_dead()
        return self

    def _at(self, at_ms: int, act: Callable[..., None], *what: Any) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (at_ms, self._sequence, act, what))

    # Tasks come

    def _next_arrival(self, done: int) -> None:
        if done < self._steady:
            at_ms = NOW_MS + self.plan.span_ms * done // self._steady
            self._at(at_ms, self._arrive, done)

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
        worker = self._owner.get(task.partition)
        if worker is None or task.partition in worker.draining:
            self._unread[task.partition].append(task)
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
            self._at(slot_ms, self._enter, worker, worker.books[task.partition], task)

    def _enter(self, worker: Worker, book: LaneBook, task: Task) -> None:
        if worker.dead or worker.books.get(task.partition) is not book or task not in worker.in_hand[task.partition]:
            # Its partition has moved in the meantime.
            return
        lanes = worker.lanes
        lane = lanes.lane(task.domain.name, task.shard, book, self.now_ms)
        grant = lanes.begin_at_once(lane, task, task.business, self.now_ms)
        if grant is not None:
            self._begin(worker, grant)
            self._dirty[worker] = None
            return
        waiting = Waiting(task, task.business, task.priority, task.promise_ms, task.attempt > 1, 1_300, self.now_ms)
        lanes.offer(lane, waiting)
        self.oracle.waits(lane, waiting)
        self._dirty[worker] = None

    # Lanes

    def _look(self) -> None:
        dirty, self._dirty = self._dirty, {}
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
            self._keep_soon(worker)
            self._arm(worker)

    def _arm(self, worker: Worker) -> None:
        at_ms = worker.lanes.next_ms()
        if at_ms < worker.alarm_ms:
            worker.alarm_ms = max(ceil(at_ms), self.now_ms + 1)
            self._at(int(worker.alarm_ms), self._ring, worker, worker.alarm_ms)

    def _ring(self, worker: Worker, alarm_ms: float) -> None:
        if worker.alarm_ms == alarm_ms:
            worker.alarm_ms = inf
            self._dirty[worker] = None

    def _begin(self, worker: Worker, grant: Grant[Task]) -> None:
        task = grant.item
        self.oracle.began(worker, grant, self.now_ms)
        worker.in_hand[task.partition][task] = grant
        if task.begun_ms is None:
            task.begun_ms = self.now_ms
        took_ms, health, pause_ms = self._answer(task.domain)
        self._at(self.now_ms + took_ms, self._end, worker, grant, health, pause_ms)

    def _answer(self, domain: Domain) -> tuple[int, Health, int | None]:
        manner = domain.manner(self.now_ms - NOW_MS)
        took_ms = self.random.randint(*manner.service_ms)
        if manner.dead:
            return took_ms, Health.CONNECT_FAILED if took_ms < 1_000 else Health.FAILED, None
        if manner.most_per_s is not None and self._too_many(domain, manner):
            return took_ms, Health.LIMITED, manner.retry_after_ms
        return took_ms, Health.FAILED if self.random.random() < manner.failing else Health.OK, None

    def _too_many(self, domain: Domain, manner: Manner) -> bool:
        taken = self._taken[domain.name]
        while taken and taken[0] <= self.now_ms - 1_000:
            taken.popleft()
        if len(taken) >= (manner.most_per_s or 0):
            return True
        taken.append(self.now_ms)
        return False

    def _end(self, worker: Worker, grant: Grant[Task], health: Health, pause_ms: int | None) -> None:
        if grant.ended or worker.dead:
            return
        task, lane = grant.item, grant.lane
        worker.lanes.end(grant, health, self.now_ms, pause_ms)
        self.oracle.ended(worker, grant)
        self._dirty[worker] = None
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
        self._at(max(due_ms, self.now_ms) + self.random.randint(2, 40), self._read, task)

    # What is kept of lanes, and told to other shards

    def _keep_soon(self, worker: Worker) -> None:
        if not worker.keeping and (worker.lanes.changed or worker.lanes.erased):
            worker.keeping = True
            self._at(self.now_ms + STATE_MS, self._keep, worker, None)

    def _keep(self, worker: Worker, lanes: list[Lane[Task]] | None) -> None:
        worker.keeping = False
        if worker.dead:
            return
        numbers = {book: number for number, book in worker.books.items()}
        for lane in list(worker.lanes.changed) if lanes is None else lanes:
            worker.lanes.changed.pop(lane, None)
            number = numbers.get(lane.book)
            if number is not None:
                memory = lane.memory(self.now_ms)
                trivial = memory.trivial(self.now_ms)
                self._changelog[number][lane_digest(lane.key)] = None if trivial else pack_lane(memory)
                lane.book.keep(memory, self.now_ms)
                self._tell(lane)
        worker.lanes.erased.clear()
        worker.lanes.active.clear()
        worker.lanes.take_gone()

    def _tell(self, lane: Lane[Task]) -> None:
        breaker = lane.breaker
        open_until_ms = breaker.open_until_ms if breaker.state is BreakerState.OPEN else 0
        if lane.limits.shards < 2 or lane.told or max(lane.paused_until_ms, open_until_ms) <= self.now_ms:
            return
        lane.told = True
        domain, _, own = lane.key.partition("#")
        for shard in range(lane.limits.shards):
            if shard != int(own or 0):
                self._at(self.now_ms + 20, self._signal, domain, shard, lane.paused_until_ms, open_until_ms)

    def _signal(self, domain: str, shard: int, paused_until_ms: float, open_until_ms: float) -> None:
        number = partition_of(domain, self.plan.partitions, shard)
        worker = self._owner.get(number)
        if worker is not None and number not in worker.draining:
            lane = worker.lanes.lane(domain, shard, worker.books[number], self.now_ms)
            worker.lanes.signal(lane, round(paused_until_ms), round(open_until_ms), self.now_ms)
            self.oracle.paused(lane, paused_until_ms)
            self._dirty[worker] = None

    def _forget_idle(self) -> None:
        self._at(self.now_ms + FORGET_MS, self._forget_idle)
        for worker in self.workers:
            worker.lanes.forget_idle(self.now_ms)
            for book in worker.books.values():
                book.forget_trivial(self.now_ms)

    # What goes wrong

    def _change(self, changed: dict[str, Any]) -> None:
        self.policies = self.plan.book(changed)
        self._dirty.update(dict.fromkeys(self.workers))

    def _own(self, number: int, worker: Worker) -> None:
        book = worker.books[number] = LaneBook()
        for digest, value in self._changelog[number].items():
            book.recover(digest, value)
        book.take_over(self.now_ms)
        self._owner[number] = worker
        unread, self._unread[number] = self._unread[number], deque()
        for task in unread:
            self._read(task)

    def _move(self) -> None:
        number = self.random.randrange(self.plan.partitions)
        worker = self._owner[number]
        if worker is None or number in worker.draining:
            return
        worker.draining.add(number)
        worker.lanes.drop(worker.books[number])
        self._give_back(worker, number, running=False)
        self._at(self.now_ms, self._drained, worker, number, worker.books[number], self.now_ms + DRAIN_MS)

    def _drained(self, worker: Worker, number: int, book: LaneBook, deadline_ms: int) -> None:
        if worker.dead or worker.books.get(number) is not book:
            return
        if worker.in_hand[number] and self.now_ms < deadline_ms:
            self._at(self.now_ms + 50, self._drained, worker, number, book, deadline_ms)
            return
        self._keep(worker, [lane for lane in worker.lanes if lane.book is book])
        for lane in [lane for lane in worker.lanes if lane.book is book]:
            self.oracle.dropped(lane)
        worker.lanes.close(book, self.now_ms)
        self._give_back(worker, number, running=True)
        del worker.books[number]
        worker.draining.discard(number)
        self._owner[number] = None
        self.oracle.takeovers[number] += 1
        self._at(self.now_ms + 50, self._own_somewhere, number)

    def _give_back(self, worker: Worker, number: int, *, running: bool) -> None:
        """Leave what is in hand of a partition to its next owner, who reads it again."""
        for task, grant in list(worker.in_hand[number].items()):
            if grant is None or running:
                del worker.in_hand[number][task]
                self._unread[number].append(task)
            if grant is not None and running:
                task.lost += 1
                worker.lanes.abandon(grant, self.now_ms)
                self.oracle.ended(worker, grant)
        for lane in [lane for lane in worker.lanes if lane.book is worker.books[number]]:
            self.oracle.dropped(lane)

    def _own_somewhere(self, number: int) -> None:
        self._own(number, self.random.choice(self.workers))

    def _crash(self) -> None:
        worker = self.random.choice(self.workers)
        for number in list(worker.books):
            self._give_back(worker, number, running=True)
            self._owner[number] = None
            self.oracle.takeovers[number] += 1
            self._at(self.now_ms + SESSION_MS, self._take_over, number)
        worker.dead = True
        self.oracle.died(worker)
        self.workers[self.workers.index(worker)] = self._worker()

    def _take_over(self, number: int) -> None:
        self._own_somewhere(number)
        worker = self._owner[number]
        assert worker is not None
        for domain in self.plan.domains:
            for shard in range(self.policies.lane(domain.name).shards):
                if partition_of(domain.name, self.plan.partitions, shard) == number:
                    key = f"{domain.name}#{shard}" if shard else domain.name
                    memory = worker.books[number].get(key)
                    # What was learned in the last quarter of a second may have died with the worker.
                    self.oracle.remembered(key, memory.paused_until_ms if memory is not None else 0)

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
