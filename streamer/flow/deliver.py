"""Deliver: the only stage that decides. Admit, send, classify, decide, emit, settle."""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streamer.core.command import Command
from streamer.core.currency import Currency, currency
from streamer.core.delivery import Delivery
from streamer.core.emit import LaneSignal
from streamer.core.ladder import DEFAULT_TIERS, Tier
from streamer.core.partitioning import lane_hash
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import PutOff, Tuning
from streamer.core.rate import Rate
from streamer.flow import steps
from streamer.flow.admission import Admission
from streamer.flow.advice import Advice
from streamer.flow.attempts import Attempts
from streamer.flow.careful import Careful
from streamer.flow.commands import command_step
from streamer.flow.faults import tell_fault, tell_unwritten
from streamer.flow.gate import Gate
from streamer.flow.lane_keeper import LaneKeeper
from streamer.flow.orphans import Orphans
from streamer.flow.owned import Batch, Owned, Work, work_of
from streamer.flow.settle import Settlement, Settler
from streamer.ports import Clock, Entropy, Marker, Meter, Outbox, Sender, SharedLimits


@dataclass(frozen=True, slots=True)
class DeliverLimits:
    """Bounds of what is in flight, how lanes put off, and the ladder of tiers.

    ``rate`` caps the calls of this process over all lanes. ``partitions`` is that of the topics that meet here, ``worker`` the
    name that lanes are shown under, ``settle_pace_ms`` the time from one group that is written to the next.
    """

    in_flight: int = 1_000
    rate: Rate | None = None
    tuning: Tuning = field(default_factory=Tuning)
    retry_after_cap_ms: int = 3_600_000
    tiers: Sequence[Tier] = DEFAULT_TIERS
    partitions: int = 1
    worker: str = ""
    settle_pace_ms: int = 0


class Deliver:
    """Takes batches of the partitions it owns, and brings every record to its settlement.

    ``accept`` never waits: capacity is a queue in the lane or a wait on a tier, and a full window only keeps its partition
    from being fetched (RULES 15).
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
        shared: SharedLimits,
        policies: Callable[[], PolicyBook],
        limits: DeliverLimits,
        advice: Advice | None = None,
    ) -> None:
        self._clock = clock
        self._marker = marker
        self._careful = Careful(marker, self._take, self._park)
        self._orphans = Orphans(clock, self._take, self._settled)
        self._meter = meter
        self._policies = policies
        self._limits = limits
        self.gate = Gate(
            *(clock, policies),
            in_flight=limits.in_flight,
            rate=limits.rate,
            tuning=limits.tuning,
            begin=lambda grant: self._attempts.begin(grant, self.gate),
            put_off=self._put_off,
            stale=self._expire,
        )
        self.keeper = LaneKeeper(self.gate, outbox, clock, limits.partitions, limits.worker)
        self._admission = Admission(
            clock=clock,
            entropy=entropy,
            shared=shared,
            policies=policies,
            meter=meter,
            gate=self.gate,
            horizon_ms=limits.tuning.horizon_ms,
            idle=self._idle,
            settle=self._settle,
            put_off=self._put_off,
            fault=self._fault,
            now=self._now,
        )
        self._attempts = Attempts(
            clock=clock,
            entropy=entropy,
            sender=sender,
            meter=meter,
            policies=policies,
            retry_after_cap_ms=limits.retry_after_cap_ms,
            idle=self._idle,
            settle=self._settle,
            fault=self._fault,
            now=self._now,
            advice=advice,
        )
        room = limits.in_flight, self.gate.allow
        self.settler = Settler(outbox, self._settled, self._unsettled, clock, limits.settle_pace_ms, *room)
        self._draining = False

    # Records come

    def accept(self, batch: Batch, owned: Owned) -> None:
        """Take a batch in hand; each of its offsets will be finished, or belongs to the next owner."""
        self.keeper.own(owned)
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
            if isinstance(work.item, Command) and (queued := work.owned.queued.get(work.digest)):
                self._overtake(queued, work)
                return
            waiting = busy[work.digest]
            if waiting is None:
                waiting = busy[work.digest] = deque()
            waiting.append(work)
            return
        busy[work.digest] = None
        self._hand(work)

    def _overtake(self, queued: Work, command: Work) -> None:
        """Let a command to a task that waits in its lane be judged at once; the task follows, and finds what it came to."""
        self.gate.leave(queued)
        waiting = command.owned.busy[command.digest]
        command.owned.busy[command.digest] = deque([queued, *(waiting or ())])
        self._hand(command, queued)

    def _let_overtake(self, queued: Work) -> None:
        """Let a command that came behind another one overtake too: that one has changed nothing, and the task waits again."""
        waiting = queued.owned.busy.get(queued.digest)
        if waiting and queued.digest in queued.owned.queued and isinstance(waiting[0].item, Command):
            self._overtake(queued, waiting.popleft())

    def _hand(self, work: Work, queued: Work | None = None) -> None:
        if not work.owned.open:
            return
        try:
            self._judge(work, queued)
        except Exception:
            self._fault(work, traceback.format_exc(limit=8))

    def _judge(self, work: Work, queued: Work | None) -> None:
        item, entry = work.item, work.owned.table.get(work.digest)
        if isinstance(item, Delivery):
            verdict = currency(item, work.content, entry)
            if verdict is Currency.CURRENT:
                self._admission.admit(work, item)
                self._let_overtake(work)
                return
            if entry is None and item.seen and self._orphans.keep(work):
                return
            if item.promise_ms is not None:
                self.gate.lane(item, work.owned).hand_on(item.promise_ms, self._clock.now_ms())
            self._meter.count("records_not_current", label=verdict.value)
            self._settle(work, *steps.not_current(work, item, verdict, entry, self._now(item.lane)))
        elif isinstance(item, Command):
            now = self._now(item.lane)
            if queued is not None and isinstance(queued.item, Delivery) and entry is None:
                entry = steps.in_hand(queued, queued.item, now)
            shards = self._policies().lane(item.delivery.lane).shards if item.delivery is not None else 1
            self._settle(work, *command_step(work, item, entry, shards, self._limits.partitions, now))
        elif isinstance(item, LaneSignal):
            self.gate.signal(item, work.owned)
            self._settle(work, (), None)
        else:
            self._meter.count("records_unreadable")
            self._settle(work, (item,), None)

    # What becomes of it

    def _put_off(self, work: Work, wait: PutOff, slot_ms: int | None = None) -> None:
        delivery = work.item
        assert isinstance(delivery, Delivery)
        self._meter.count("deferrals", label=wait.why.value)
        slot_ms = slot_ms if slot_ms is not None else delivery.slot_ms
        try:
            self._settle(work, *steps.put_off(work, delivery, wait, slot_ms, self._now(delivery.lane)))
        except Exception:
            # Called from the loop, beside others of the same turn: those must not be lost with this one.
            self._fault(work, traceback.format_exc(limit=8))

    def _expire(self, work: Work) -> None:
        assert isinstance(work.item, Delivery)
        self._settle(work, *steps.expired(work, work.item, self._now(work.item.lane)))

    def _settle(self, work: Work, emits: steps.Emits, entry: steps.MaybeEntry, told: steps.Emits = ()) -> None:
        if not emits and entry is None and not told:
            work.finish()
            self._settled(work)
        else:
            self.settler.put(Settlement(work, emits, entry, told))

    def _settled(self, work: Work) -> None:
        self._careful.settled(work, asyncio.get_running_loop().call_soon)
        self.release(work.owned, work.digest)

    def release(self, owned: Owned, digest: bytes) -> None:
        """Let the next record of a task be judged, by the loop and not here: a thousand duplicates would be a thousand frames."""
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
        tell_fault(work, trace)
        if isinstance(work.item, Delivery):
            self._settle(work, *steps.faulted(work, work.item, trace, self._now(work.item.lane)))
        else:
            self._meter.count("records_stuck")

    def _unsettled(self, settlement: Settlement, error: Exception) -> None:
        work, item = settlement.work, settlement.work.item
        entry = work.owned.table.get(work.digest)
        current = isinstance(item, Delivery) and currency(item, work.content, entry) is Currency.CURRENT
        if current and not settlement.deferral and not settlement.published:
            self._fault(work, "".join(traceback.format_exception(error, limit=8)))
            return
        # A deferral of a command, or of a record that is not current, would take its task's place. Nor is put off what stands.
        self._meter.count("faults")
        tell_unwritten(work, error, steps.FAULT_FIRST_MS)
        work.owned.spawn(self._put_again(settlement))

    async def _put_again(self, settlement: Settlement) -> None:
        await self._clock.sleep_ms(steps.FAULT_FIRST_MS)
        self.settler.put(settlement)

    def _idle(self, work: Work) -> bool:
        """Tell whether nothing of this may begin now."""
        return self._draining or not work.owned.may_act()

    # Giving up

    async def drain(self, deadline_ms: float) -> bool:
        """Start nothing more, wait for what is on the wire to settle; tell whether all of it did (RULES 10).

        Nothing is started until ``resume``: what started while the offsets are committed would be sent twice.
        """
        self._draining = True
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                self.gate.empty()
                await self._attempts.quiet.wait()
                await self.settler.drained()
                await self.keeper.flush()
                return True
        except TimeoutError:
            return False

    def resume(self) -> None:
        """Start work again, for a new assignment."""
        self._draining = False

    def give_up(self, owned: Owned) -> None:
        """Forget all work of a partition that is no longer ours."""
        self.gate.close(owned)
        self.keeper.disown(owned)
        owned.close()

    def _now(self, lane: str) -> steps.Now:
        return steps.Now(self._clock.now_ms(), self._limits.tiers, lane_hash(lane))
