"""Deliver: the only stage that decides. Admit, send, classify, decide, emit, settle."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from streamer.core.command import Command
from streamer.core.control import answer
from streamer.core.currency import Currency, currency
from streamer.core.decide import decide, expired
from streamer.core.delivery import Delivery, Why
from streamer.core.judge import judge
from streamer.core.ladder import DEFAULT_TIERS, Tier
from streamer.core.lanes import Lanes
from streamer.core.partitioning import lane_hash
from streamer.flow import steps
from streamer.flow.careful import Careful
from streamer.flow.owned import Batch, Owned, Work, work_of
from streamer.flow.settle import Settlement, Settler
from streamer.ports import Clock, Entropy, Marker, Meter, Outbox, Sender

log = logging.getLogger(__name__)

#: A record found twice in hand alone when the process died waits this long, and is alarmed (RULES 14).
PARK_MS = 12 * 3_600_000
#: A due time this near is waited for in hand: two machines' clocks differ by less on most days.
NEAR_MS = 100


@dataclass(frozen=True, slots=True)
class DeliverLimits:
    """Bounds of what is in flight, and the ladder of tiers."""

    in_flight: int = 1_000
    in_flight_per_domain: int = 20
    tiers: Sequence[Tier] = DEFAULT_TIERS


class Deliver:
    """Takes batches of the partitions it owns, and brings every record to its settlement.

    ``accept`` never waits: capacity is a queue in the lane, and a full window only keeps its partition from being fetched
    (RULES 15).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        sender: Sender,
        outbox: Outbox,
        marker: Marker,
        meter: Meter,
        limits: DeliverLimits,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._sender = sender
        self._marker = marker
        self._careful = Careful(marker, self._take, self._park)
        self._meter = meter
        self._limits = limits
        self._lanes: Lanes[Work] = Lanes(limits.in_flight_per_domain, limits.in_flight)
        self.settler = Settler(outbox, self._settled, self._unsettled)
        self._running = 0
        self._draining = False
        self._quiet = asyncio.Event()
        self._quiet.set()

    # Admission

    def accept(self, batch: Batch, owned: Owned) -> None:
        """Take a batch in hand; each of its offsets will be finished, or belongs to the next owner."""
        window = batch.window
        span_end = self._marker.span_end(batch.source, batch.partition)
        for offset, size, item in batch.records:
            if not window.take(offset, size):
                continue
            work = work_of(item, owned, window, batch.source, offset)
            if offset < span_end:
                self._careful.add(work)
            else:
                self._take(work)
        if batch.records:
            self._marker.handed(batch.source, batch.partition, batch.records[-1][0] + 1)

    def _take(self, work: Work) -> None:
        busy = work.owned.busy
        if work.digest in busy:
            waiting = busy[work.digest]
            if waiting is None:
                waiting = busy[work.digest] = deque()
            waiting.append(work)
            return
        busy[work.digest] = None
        self._hand(work)

    def _hand(self, work: Work) -> None:
        if not work.owned.open:
            return
        try:
            self._judge(work)
        except Exception:
            self._fault(work, traceback.format_exc(limit=8))

    def _judge(self, work: Work) -> None:
        item, entry = work.item, work.owned.table.get(work.digest)
        if isinstance(item, Delivery):
            verdict = currency(item, work.content, entry)
            if verdict is Currency.CURRENT:
                self._admit(work, item)
            else:
                self._meter.count("records_not_current", label=verdict.value)
                self._settle(work, steps.not_current(work, item, verdict, entry, self._now(item.lane)))
        elif isinstance(item, Command):
            now = self._now(item.lane)
            decided = answer(item, entry, now.ms, work.owned.epoch)
            self._settle(work, steps.commanded(work, item, decided, entry, now))
        else:
            self._meter.count("records_unreadable")
            self._settle(work, ((item,), None))

    def _admit(self, work: Work, delivery: Delivery) -> None:
        now = self._now(delivery.lane)
        if work.parked:
            self._meter.count("records_parked")
            detail = "the process died twice with this record in hand alone"
            self._settle(work, steps.set_aside(work, delivery, Why.PARKED, now.ms + PARK_MS, detail, now))
        elif expired(delivery, now.ms):
            self._settle(work, steps.expired(work, delivery, now))
        elif delivery.due_at_ms - now.ms > NEAR_MS:
            self._settle(work, steps.deferred(work, delivery, now))
        elif self._lanes.offer(delivery.lane, work):
            self._start(work)

    # The attempt

    def _start(self, work: Work) -> None:
        self._running += 1
        self._quiet.clear()
        task = asyncio.create_task(self._run(work))
        work.owned.tasks.add(task)
        # Not at the end of the task's own code: a task that is cancelled before its first step has none, and its place in
        # the lane would be lost.
        task.add_done_callback(lambda done: self._ended(work, done))

    def _ended(self, work: Work, task: asyncio.Task[None]) -> None:
        work.owned.tasks.discard(task)
        self._running -= 1
        assert isinstance(work.item, Delivery)
        self._start_following(work.item.lane)
        if not self._running:
            self._quiet.set()

    async def _run(self, work: Work) -> None:
        delivery = work.item
        assert isinstance(delivery, Delivery)
        try:
            await self._attempt(work, delivery)
        except Exception:
            self._fault(work, traceback.format_exc(limit=8))

    async def _attempt(self, work: Work, delivery: Delivery) -> None:
        early_ms = delivery.due_at_ms - self._clock.now_ms()
        if early_ms > 0:
            await self._clock.sleep_ms(early_ms)
        if self._draining or not work.owned.may_act():
            return
        exchange = await self._sender.send(delivery)
        now = self._now(delivery.lane)
        judged = judge(delivery.request, exchange.end)
        self._meter.count("attempts", label=judged.outcome.value)
        decision = decide(delivery, judged, now.ms, self._entropy.unit())
        self._settle(work, steps.attempted(work, delivery, exchange, judged, decision, now))

    def _start_following(self, lane: str) -> None:
        ready = deque(self._lanes.release(lane))
        while ready:
            work = ready.popleft()
            delivery = work.item
            assert isinstance(delivery, Delivery)
            now = self._now(delivery.lane)
            if expired(delivery, now.ms):
                self._settle(work, steps.expired(work, delivery, now))
                ready.extend(self._lanes.release(delivery.lane))
            else:
                self._start(work)

    # Settlement

    def _settle(self, work: Work, step: steps.Step) -> None:
        emits, entry = step
        if not emits and entry is None:
            work.finish()
            self._settled(work)
        else:
            self.settler.put(Settlement(work, emits, entry))

    def _settled(self, work: Work) -> None:
        self._careful.settled(work, asyncio.get_running_loop().call_soon)
        self.release(work.owned, work.digest)

    def release(self, owned: Owned, digest: bytes) -> None:
        """Let the next record of a task be judged.

        The loop hands it on, not this call: a thousand duplicates would be a thousand frames.
        """
        waiting = owned.busy.get(digest)
        if waiting:
            asyncio.get_running_loop().call_soon(self._hand, waiting.popleft())
        else:
            owned.busy.pop(digest, None)

    def _park(self, work: Work) -> None:
        # Judged like any other record: one that is not current any more must not bring its task back.
        work.parked = True
        self._take(work)

    def _fault(self, work: Work, trace: str) -> None:
        self._meter.count("faults")
        if isinstance(work.item, Delivery):
            self._settle(work, steps.faulted(work, work.item, trace, self._now(work.item.lane)))
        else:
            self._meter.count("records_stuck")

    def _unsettled(self, settlement: Settlement, error: Exception) -> None:
        work, item = settlement.work, settlement.work.item
        entry = work.owned.table.get(work.digest)
        current = isinstance(item, Delivery) and currency(item, work.content, entry) is Currency.CURRENT
        if current and not settlement.deferral:
            self._fault(work, "".join(traceback.format_exception(error, limit=8)))
            return
        # A command, or a record that is not current: a deferral of it would take its task's place. Or the deferral itself.
        self._meter.count("faults")
        log.error("a settlement cannot be written; tried again in %s ms", steps.FAULT_FIRST_MS, exc_info=error)
        task = asyncio.create_task(self._put_again(settlement))
        work.owned.tasks.add(task)
        task.add_done_callback(work.owned.tasks.discard)

    async def _put_again(self, settlement: Settlement) -> None:
        await self._clock.sleep_ms(steps.FAULT_FIRST_MS)
        self.settler.put(settlement)

    # Giving up

    async def drain(self, deadline_ms: float) -> bool:
        """Start nothing more, wait for what is on the wire to settle; tell whether all of it did (RULES 10).

        Nothing is started until ``resume``: what started while the offsets are committed would be sent twice.
        """
        self._draining = True
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                self._lanes.drop(lambda _: True)
                await self._quiet.wait()
                await self.settler.drained()
                return True
        except TimeoutError:
            return False

    def resume(self) -> None:
        """Start work again, for a new assignment."""
        self._draining = False

    def give_up(self, owned: Owned) -> None:
        """Forget all work of a partition that is no longer ours."""
        self._lanes.drop(lambda work: work.owned is owned)
        owned.close()

    def _now(self, lane: str) -> steps.Now:
        return steps.Now(self._clock.now_ms(), self._limits.tiers, lane_hash(lane))
