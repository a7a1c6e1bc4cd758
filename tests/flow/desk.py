"""One partition with its deliver stage and everything around it in memory; a crash leaves only what was written."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from msgspec.structs import replace

from streamer.adapters.memory.clock import VirtualClock
from streamer.adapters.memory.entropy import FixedEntropy
from streamer.adapters.memory.lease import MemoryLease
from streamer.adapters.memory.marker import MemoryMarker
from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.memory.outbox import MemoryOutbox
from streamer.adapters.memory.sender import MemorySender, Reply
from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.delivery import Delivery
from streamer.core.emit import DeadLetterOf, Due, Emit, Held, ResultOf
from streamer.core.entry import Entry, pack
from streamer.core.identity import task_digest
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import KEY_PREFIX as LANE_PREFIX
from streamer.core.lane_memory import LaneMemory, pack_lane
from streamer.core.outcome import Response
from streamer.core.policy_book import PolicyBook
from streamer.core.request import Request, RetryPolicy
from streamer.core.window import Window
from streamer.flow.advice import Advice
from streamer.flow.deliver import Deliver, DeliverLimits
from streamer.flow.orphans import Firsts
from streamer.flow.owned import Batch, Item, Owned
from streamer.ports import Change
from tests.core.samples import NOW_MS, a_delivery

SOURCES = ("deliveries", "due", "control")
MINUTE_MS = 60_000


def task(task_id: str = "tsk_1", *, retry_ms: tuple[int, ...] | None = None, **changed: Any) -> Delivery:
    """Return a task that is due; fields of its request are known by name and changed too."""
    names = {"method", "url", "body", "expires_at_ms", "timeout_ms", "priority", "rate_key", "policy"}
    request: Request = a_delivery().request
    request = replace(request, **{name: changed.pop(name) for name in names & changed.keys()})
    if retry_ms is not None:
        request = replace(request, retry=RetryPolicy(intervals_ms=retry_ms))
    offset = changed.pop("offset", 7)
    delivery = a_delivery(request)
    origin = replace(delivery.origin, offset=offset)
    return replace(delivery, task_id=task_id, origin=origin, **changed)


class Desk:
    """What one worker does with one partition.

    ``logs`` are the topics, which outlive the worker as the outbox and the marker do. ``give`` appends records and lets
    deliver read them; ``crash`` forgets everything else and reads again from the committed offsets.
    """

    def __init__(
        self,
        limits: DeliverLimits | None = None,
        policies: PolicyBook | None = None,
        advice: Advice | None = None,
    ) -> None:
        self.policies = policies or PolicyBook()
        self.shared = MemorySharedLimits()
        self.clock = VirtualClock(NOW_MS)
        self.sender = MemorySender(self.clock, lambda delivery: self.respond(delivery))
        self.outbox = MemoryOutbox()
        self.meter, self.marker, self.lease = MemoryMeter(), MemoryMarker(), MemoryLease()
        self.logs: dict[str, list[Item]] = {source: [] for source in SOURCES}
        self.committed: defaultdict[str, int] = defaultdict(int)
        self.epoch = 0
        #: How the receiver answers what no script names; a test may put another in its place.
        self.respond: Callable[[Delivery], Reply] = lambda _: Reply()
        self._limits = limits or DeliverLimits()
        self._advice = advice
        self._came_back = 0
        self.start()

    def start(self) -> None:
        """Begin an assignment: the table is read from the changelog, each topic from its committed offset."""
        self.epoch += 1
        self.table = MemoryTable()
        self.lanes = LaneBook()
        for _, key, value in self.outbox.changelog:
            if len(key) != 16 and key.startswith(LANE_PREFIX):
                self.lanes.recover(key, pack_lane(value) if isinstance(value, LaneMemory) else None)
            else:
                self.table.recover(key, pack(value) if isinstance(value, Entry) else None)
        self.lanes.take_over(self.clock.now_ms())
        self.owned = Owned(0, self.epoch, self.table, ClaimsOnDisk(":memory:"), self.lanes, self.lease)
        self.windows = {source: Window(self.committed[source], 20_000, 1 << 26) for source in SOURCES}
        self.owned.firsts_done = Firsts(self.windows["deliveries"], len(self.logs["deliveries"])).done
        self.deliver = Deliver(
            clock=self.clock,
            entropy=FixedEntropy(),
            sender=self.sender,
            outbox=self.outbox,
            marker=self.marker,
            meter=self.meter,
            shared=self.shared,
            policies=lambda: self.policies,
            limits=self._limits,
            advice=self._advice,
        )
        self._settling = asyncio.create_task(self.deliver.settler.run())
        self._keeping = asyncio.create_task(self.deliver.keeper.run())

    async def stop(self) -> None:
        """End without a word to anybody."""
        self.deliver.give_up(self.owned)
        self.deliver.gate.stop()
        for task in (self._settling, self._keeping):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.clock.settle()

    async def crash(self) -> None:
        """Die and start again; what was finished and not committed is read again."""
        await self.stop()
        self.start()
        for source in SOURCES:
            self.read(source)
        await self.clock.settle()

    async def give(self, *items: Item, source: str = "deliveries") -> None:
        """Append records to a topic, read them, and let everything happen that takes no time."""
        self.logs[source].extend(items)
        self.read(source)
        await self.clock.settle()

    def read(self, source: str) -> None:
        """Hand deliver what it has not read of a topic."""
        window = self.windows[source]
        first = window.next_offset
        records = [(first + at, 100, item) for at, item in enumerate(self.logs[source][first:])]
        self.deliver.accept(Batch(source, 0, window, records), self.owned)

    def commit(self) -> None:
        """Commit the finished prefixes."""
        for source, window in self.windows.items():
            self.committed[source] = window.committable

    async def come_back(self) -> None:
        """Release everything laid on tiers or on ``due`` since the last time, once time has reached its due time."""
        waiting = [emit for emit in self.outbox.published[self._came_back :] if isinstance(emit, Held | Due)]
        self._came_back = len(self.outbox.published)
        late_ms = max((emit.delivery.due_at_ms for emit in waiting), default=0) - self.clock.now_ms()
        await self.clock.advance(max(0, late_ms))
        await self.give(*[emit.delivery for emit in waiting], source="due")

    def answer(self, *statuses: int) -> None:
        """Let the receiver answer with these statuses in turn, the last one for ever."""
        self.sender.script("receiver.example", *[Reply(Response(status)) for status in statuses])

    def entry(self, task_id: str = "tsk_1") -> Entry:
        """Return a task's entry, which must be there."""
        entry = self.table.get(task_digest(task_id))
        assert entry is not None
        return entry

    @property
    def results(self) -> list[ResultOf]:
        """What was told on results."""
        return self.outbox.of(ResultOf)

    @property
    def changelog_of_tasks(self) -> list[Change]:
        """What was written of tasks' entries."""
        return [change for change in self.outbox.changelog if len(change[1]) == 16]

    @property
    def held(self) -> list[Held]:
        """What was laid on tiers."""
        return self.outbox.of(Held)

    @property
    def dead_letters(self) -> list[DeadLetterOf]:
        """What became a dead letter."""
        return self.outbox.of(DeadLetterOf)

    @property
    def sent(self) -> list[tuple[str, int]]:
        """What the receiver got: task and attempt."""
        return [(sent.delivery.task_id, sent.delivery.attempt) for sent in self.sender.sent]

    @property
    def unfinished(self) -> int:
        """How many records are in hand."""
        return sum(window.unfinished for window in self.windows.values())


@asynccontextmanager
async def a_desk(limits: DeliverLimits | None = None, policies: PolicyBook | None = None) -> AsyncIterator[Desk]:
    """Open a desk with limits of its own, and stop it."""
    desk = Desk(limits, policies)
    try:
        yield desk
    finally:
        await desk.stop()


def seen(emit: Emit) -> Delivery:
    """Return the delivery that a tier or ``due`` holds."""
    assert isinstance(emit, Held | Due)
    return emit.delivery


def broken(delivery: Delivery) -> Reply:
    """Stand for a bug of ours on the way to the wire."""
    raise ZeroDivisionError("a bug of ours")
