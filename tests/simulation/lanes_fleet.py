"""The workers of a simulation: who owns which partition, what is kept of its lanes, handovers in peace and crashes."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable

from streamer.core.breaker import BreakerState
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import lane_digest, pack_lane
from streamer.core.lanes import Lanes
from streamer.core.partitioning import partition_of
from streamer.core.policy_book import PolicyBook
from tests.simulation.lanes_oracle import LanesOracle
from tests.simulation.lanes_parts import Task, Worker
from tests.simulation.lanes_plan import Plan
from tests.simulation.lanes_timeline import Timeline

#: From a worker's death until its partitions have another owner, and from a handover's beginning until it is forced.
SESSION_MS, DRAIN_MS = 10_000, 8_000
STATE_MS, FORGET_MS = 250, 60_000


class Fleet:
    """Owns the partitions; ``dirty`` are the workers whose lanes are to be looked at in this instant.

    ``read`` hands a task to the owner of its partition.
    """

    def __init__(
        self,
        plan: Plan,
        chance: random.Random,
        time: Timeline,
        oracle: LanesOracle,
        policies: Callable[[], PolicyBook],
        read: Callable[[Task], None],
    ) -> None:
        self._plan, self._random, self._time = plan, chance, time
        self._oracle, self._policies, self._read = oracle, policies, read
        self.owner: dict[int, Worker | None] = {}
        self.dirty: dict[Worker, None] = {}
        #: Tasks that stand on their partition's topics while nobody reads them.
        self.unread: defaultdict[int, deque[Task]] = defaultdict(deque)
        self._changelog: defaultdict[int, dict[bytes, bytes | None]] = defaultdict(dict)
        self.workers = [self.worker() for _ in range(plan.workers)]

    def worker(self) -> Worker:
        """Return a new process."""
        lanes: Lanes[Task] = Lanes(
            self._policies,
            self._plan.in_flight,
            None,
            self._plan.tuning,
            lambda task, now_ms: task.expires_ms <= now_ms,
        )
        return Worker(f"w{self._random.getrandbits(40):x}", lanes)

    def reader(self, number: int) -> Worker | None:
        """Return who reads a partition now; None while nobody does."""
        worker = self.owner.get(number)
        return None if worker is None or number in worker.draining else worker

    # What is kept of lanes, and told to other shards

    def keep_soon(self, worker: Worker) -> None:
        """Write a little later what has changed."""
        if not worker.keeping and (worker.lanes.changed or worker.lanes.erased):
            worker.keeping = True
            self._time.at(self._time.now_ms + STATE_MS, self._keep, worker, None)

    def _keep(self, worker: Worker, lanes: list[Lane[Task]] | None) -> None:
        worker.keeping = False
        if worker.dead:
            return
        numbers = {book: number for number, book in worker.books.items()}
        for lane in list(worker.lanes.changed) if lanes is None else lanes:
            worker.lanes.changed.pop(lane, None)
            number = numbers.get(lane.book)
            if number is not None:
                memory = lane.memory(self._time.now_ms)
                trivial = memory.trivial(self._time.now_ms)
                self._changelog[number][lane_digest(lane.key)] = None if trivial else pack_lane(memory)
                lane.book.keep(memory, self._time.now_ms)
                self._tell(lane)
        worker.lanes.erased.clear()
        worker.lanes.active.clear()
        worker.lanes.take_gone()

    def _tell(self, lane: Lane[Task]) -> None:
        breaker = lane.breaker
        open_until_ms = breaker.open_until_ms if breaker.state is BreakerState.OPEN else 0
        if lane.limits.shards < 2 or lane.told or max(lane.paused_until_ms, open_until_ms) <= self._time.now_ms:
            return
        lane.told = True
        domain, _, own = lane.key.partition("#")
        for shard in range(lane.limits.shards):
            if shard != int(own or 0):
                self._time.at(self._time.now_ms + 20, self._signal, domain, shard, lane.paused_until_ms, open_until_ms)

    def _signal(self, domain: str, shard: int, paused_until_ms: float, open_until_ms: float) -> None:
        number = partition_of(domain, self._plan.partitions, shard)
        worker = self.reader(number)
        if worker is not None:
            lane = worker.lanes.lane(domain, shard, worker.books[number], self._time.now_ms)
            worker.lanes.signal(lane, round(paused_until_ms), round(open_until_ms), self._time.now_ms)
            self._oracle.paused(lane, paused_until_ms)
            self.dirty[worker] = None

    def forget_idle(self) -> None:
        """Forget idle lanes now and then."""
        self._time.at(self._time.now_ms + FORGET_MS, self.forget_idle)
        for worker in self.workers:
            worker.lanes.forget_idle(self._time.now_ms)
            for book in worker.books.values():
                book.forget_trivial(self._time.now_ms)

    # What goes wrong

    def own(self, number: int, worker: Worker) -> None:
        """Let a worker take a partition over."""
        book = worker.books[number] = LaneBook()
        for digest, value in self._changelog[number].items():
            book.recover(digest, value)
        book.take_over(self._time.now_ms)
        self.owner[number] = worker
        unread, self.unread[number] = self.unread[number], deque()
        for task in unread:
            self._read(task)

    def move(self) -> None:
        """Hand some partition over in peace."""
        number = self._random.randrange(self._plan.partitions)
        worker = self.owner[number]
        if worker is None or number in worker.draining:
            return
        worker.draining.add(number)
        worker.lanes.drop(worker.books[number])
        self._give_back(worker, number, running=False)
        self._time.at(
            self._time.now_ms, self._drained, worker, number, worker.books[number], self._time.now_ms + DRAIN_MS
        )

    def _drained(self, worker: Worker, number: int, book: LaneBook, deadline_ms: int) -> None:
        if worker.dead or worker.books.get(number) is not book:
            return
        if worker.in_hand[number] and self._time.now_ms < deadline_ms:
            self._time.at(self._time.now_ms + 50, self._drained, worker, number, book, deadline_ms)
            return
        self._keep(worker, [lane for lane in worker.lanes if lane.book is book])
        for lane in [lane for lane in worker.lanes if lane.book is book]:
            self._oracle.dropped(lane)
        worker.lanes.close(book, self._time.now_ms)
        self._give_back(worker, number, running=True)
        del worker.books[number]
        worker.draining.discard(number)
        self.owner[number] = None
        self._oracle.takeovers[number] += 1
        self._time.at(self._time.now_ms + 50, self._own_somewhere, number)

    def _give_back(self, worker: Worker, number: int, *, running: bool) -> None:
        """Leave what is in hand of a partition to its next owner, who reads it again."""
        for task, grant in list(worker.in_hand[number].items()):
            if grant is None or running:
                del worker.in_hand[number][task]
                self.unread[number].append(task)
            if grant is not None and running:
                task.lost += 1
                worker.lanes.abandon(grant, self._time.now_ms)
                self._oracle.ended(worker, grant)
        for lane in [lane for lane in worker.lanes if lane.book is worker.books[number]]:
            self._oracle.dropped(lane)

    def _own_somewhere(self, number: int) -> None:
        self.own(number, self._random.choice(self.workers))

    def crash(self) -> None:
        """End some worker without a word."""
        worker = self._random.choice(self.workers)
        for number in list(worker.books):
            self._give_back(worker, number, running=True)
            self.owner[number] = None
            self._oracle.takeovers[number] += 1
            self._time.at(self._time.now_ms + SESSION_MS, self._take_over, number)
        worker.dead = True
        self._oracle.died(worker)
        self.workers[self.workers.index(worker)] = self.worker()

    def _take_over(self, number: int) -> None:
        self._own_somewhere(number)
        worker = self.owner[number]
        assert worker is not None
        for domain in self._plan.domains:
            for shard in range(self._policies().lane(domain.name).shards):
                if partition_of(domain.name, self._plan.partitions, shard) == number:
                    key = f"{domain.name}#{shard}" if shard else domain.name
                    memory = worker.books[number].get(key)
                    # What was learned in the last quarter of a second may have died with the worker.
                    self._oracle.remembered(key, memory.paused_until_ms if memory is not None else 0)
