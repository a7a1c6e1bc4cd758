"""Admission: what becomes of a current delivery before it may wait in its lane."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from msgspec.structs import replace

from streamer.core.decide import expired
from streamer.core.delivery import Delivery, Why
from streamer.core.policy import SharedLimit
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import PutOff
from streamer.flow import steps
from streamer.flow.gate import Gate
from streamer.flow.owned import Work
from streamer.ports import Clock, Entropy, Meter, SharedLimits

log = logging.getLogger(__name__)

#: A record found twice in hand alone when the process died waits this long, and is alarmed (RULES 14).
PARK_MS = 12 * 3_600_000
#: A due time or a slot this near is waited for in hand: two machines' clocks differ by less on most days.
NEAR_MS = 100
#: Of several limits together only a slot within this is taken, else the wait grows from it.
_NEAR_SLOT_MS = 5_000
#: How often one domain's full backlog is logged.
_NOTICE_MS = 60_000
_MOST_NOTICED = 1_000


class Admission:
    """Looks at due time, backlog and limits across domains; what passes goes to the gate."""

    def __init__(
        self,
        *,
        clock: Clock,
        entropy: Entropy,
        shared: SharedLimits,
        policies: Callable[[], PolicyBook],
        meter: Meter,
        gate: Gate,
        horizon_ms: int,
        idle: Callable[[Work], bool],
        settle: Callable[[Work, steps.Emits, steps.MaybeEntry], None],
        put_off: Callable[[Work, PutOff, int | None], None],
        fault: Callable[[Work, str], None],
        now: Callable[[str], steps.Now],
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._shared = shared
        self._policies = policies
        self._meter = meter
        self._gate = gate
        self._horizon_ms = horizon_ms
        self._idle = idle
        self._settle = settle
        self._put_off = put_off
        self._fault = fault
        self._now = now
        self._noticed_ms: dict[str, int] = {}

    def admit(self, work: Work, delivery: Delivery) -> None:
        """Let a delivery wait in its lane, or write at once what else becomes of it."""
        now = self._now(delivery.lane)
        early_ms = delivery.due_at_ms - now.ms
        if work.parked:
            self._meter.count("records_parked")
            detail = "the process died twice with this record in hand alone"
            self._settle(work, *steps.set_aside(work, delivery, Why.PARKED, now.ms + PARK_MS, detail, now))
        elif expired(delivery, now.ms):
            self._settle(work, *steps.expired(work, delivery, now))
        elif early_ms > NEAR_MS:
            self._settle(work, *steps.deferred(work, delivery, now))
        elif early_ms > 0:
            self._later(work, self._wait(work, delivery, early_ms))
        elif (backlog := self._full(work, delivery, now)) is not None:
            self._settle(work, *steps.refused(work, delivery, backlog, now))
        else:
            self._pass(work, delivery)

    def _pass(self, work: Work, delivery: Delivery) -> None:
        request = delivery.request
        limits = self._policies().shared(delivery.business, request.policy, request.rate_key)
        if limits and delivery.slot_ms is None:
            self._later(work, self._reserve(work, delivery, limits))
        else:
            self._gate.enter(work, delivery)

    # What is near is waited for in hand

    def _later(self, work: Work, job: Coroutine[Any, Any, None]) -> None:
        work.owned.spawn(self._guarded(work, job))

    async def _guarded(self, work: Work, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except Exception:
            self._fault(work, traceback.format_exc(limit=8))

    async def _wait(self, work: Work, delivery: Delivery, wait_ms: float) -> None:
        await self._clock.sleep_ms(wait_ms)
        if not self._idle(work):
            self.admit(work, delivery)

    async def _reserve(self, work: Work, delivery: Delivery, limits: Sequence[SharedLimit]) -> None:
        """Take a slot of the limits across domains before the queue: a deferral brings it back (RULES 24)."""
        # A slot far ahead that several limits have in common would hold up the roomier of them for everybody else.
        several = len(limits) > 1
        horizon_ms = min(_NEAR_SLOT_MS, self._horizon_ms) if several else self._horizon_ms
        slot_ms = await self._shared.reserve(limits, self._clock.now_ms(), horizon_ms)
        now_ms = self._clock.now_ms()
        if slot_ms is None:
            self._put_off(work, self._nothing_near(delivery.waits, several, now_ms), None)
        elif slot_ms - now_ms > NEAR_MS:
            self._put_off(work, PutOff(Why.SHARED_LIMIT, slot_ms, None, 0), slot_ms)
        else:
            if slot_ms > now_ms:
                await self._clock.sleep_ms(slot_ms - now_ms)
            if not self._idle(work):
                # A lane that puts it off must not make it take a second slot.
                work.item = delivery = replace(delivery, slot_ms=slot_ms)
                self._gate.enter(work, delivery)

    def _nothing_near(self, waits: int, several: bool, now_ms: int) -> PutOff:
        """Return when to ask again, each at a moment of its own (RULES 9)."""
        unit = self._entropy.unit()
        if several:
            wait_ms = min(_NEAR_SLOT_MS << min(waits, 20), self._horizon_ms) * (0.75 + unit / 2)
            return PutOff(Why.SHARED_LIMIT, now_ms + round(wait_ms), None, waits + 1)
        return PutOff(Why.SHARED_LIMIT, now_ms + round(self._horizon_ms * (0.5 + unit / 2)), None, 0)

    # The cap on a domain's open tasks

    def _full(self, work: Work, delivery: Delivery, now: steps.Now) -> int | None:
        """Return the number of open tasks that turns a new one away; None lets it in."""
        if delivery.seen:
            return None
        limits = self._policies().lane(delivery.lane)
        if limits.backlog is None:
            return None
        lane = self._gate.lane(delivery, work.owned)
        open_tasks = work.owned.table.open_in(now.lane_hash) + len(lane.queue) + lane.running
        if open_tasks < limits.backlog:
            return None
        self._meter.count("backlog_full")
        self._notice(delivery.lane, open_tasks, limits.refuse, now.ms)
        return open_tasks if limits.refuse else None

    def _notice(self, lane: str, open_tasks: int, refuse: bool, now_ms: int) -> None:
        if self._noticed_ms.get(lane, 0) + _NOTICE_MS > now_ms:
            return
        if len(self._noticed_ms) >= _MOST_NOTICED:
            self._noticed_ms.clear()
        self._noticed_ms[lane] = now_ms
        what = "refused" if refuse else "made to wait"
        log.warning("%s has %s open tasks, its cap or more; new ones are %s", lane, open_tasks, what)
