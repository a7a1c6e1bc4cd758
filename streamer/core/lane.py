"""A lane: all work for one domain in one worker, and what holds it back.

Must not know what an item is, how it is sent, nor the time.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf
from typing import Generic

from streamer.core.breaker import Breaker, BreakerState, Permit
from streamer.core.delivery import Why
from streamer.core.gcra import Gcra
from streamer.core.health import Health
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import LaneMemory
from streamer.core.lane_queue import LaneQueue
from streamer.core.lane_stats import LaneStats
from streamer.core.pace import Pace
from streamer.core.policy import FOREVER_MS, LaneLimits
from streamer.core.put_off import PutOff, Tuning
from streamer.core.waiting import Item

#: The golden ratio's fraction: its multiples fill an interval evenly, however many there are.
_GOLDEN = 0.6180339887498949
#: So many slots are promised also where they reach beyond the horizon.
_LEAST_PROMISED = 10


class Lane(Generic[Item]):
    """One domain's limiter, breaker, pauses and queue; ``running`` counts its calls on the wire."""

    __slots__ = (
        "_deferred", "_gcra", "_pace", "_probed", "_tuning", "book", "breaker", "crowded", "dirty", "idle_since_ms", "key",
        "limits", "measured_ms", "paused_until_ms", "promised_ms", "queue", "running", "stats", "told", "wake_ms",
    )  # fmt: skip

    def __init__(
        self,
        key: str,
        limits: LaneLimits,
        book: LaneBook,
        tuning: Tuning,
        weight_of: Callable[[str], int],
        now_ms: float,
    ) -> None:
        self.key = key
        self.limits = limits
        self.book = book
        self.running = 0
        self.queue: LaneQueue[Item] = LaneQueue(weight_of)
        self.breaker = Breaker(limits.breaker)
        self.stats = LaneStats()
        #: The receiver's pause; the operator's stands in the limits.
        self.paused_until_ms = 0.0
        #: When the lane is to be looked at again; kept by whoever has the clock.
        self.wake_ms = inf
        #: When a call last ended, and when it was last seen whether more wait than fit.
        self.idle_since_ms = self.measured_ms = now_ms
        #: Whether what must not be forgotten has changed since it was written.
        self.dirty = False
        #: Whether the partition has little room left for records in hand.
        self.crowded = False
        #: Whether the other shards know of the newest pause or open breaker that this one has met.
        self.told = True
        self._tuning = tuning
        #: The last slot promised to a deferral.
        self.promised_ms = 0.0
        self._deferred = 0
        #: The breaker's generation for which one waits until it may be asked again.
        self._probed = -1
        self._pace: Pace | None = None
        self._gcra = self._limiter(book.taken_over_ms)
        memory = book.get(key)
        if memory is not None:
            self._restore(memory, now_ms)

    def __repr__(self) -> str:
        return f"<Lane {self.key} running={self.running} waiting={len(self.queue)} {self.breaker.state}>"

    def ready_ms(self, now_ms: float) -> tuple[float, Why]:
        """Return when the next call may begin, now at the soonest, and what it waits for; inf for "when a call ends"."""
        at_ms, why = now_ms, Why.RATE
        if self.limits.paused_until_ms > at_ms:
            at_ms, why = self.limits.paused_until_ms, Why.PAUSED
        if self.paused_until_ms > at_ms:
            at_ms, why = self.paused_until_ms, Why.RETRY_AFTER
        if why is Why.RATE and self._gcra is None and self._pace is None and self.breaker.steady:
            # The usual case, asked for several times a call.
            return (now_ms, why) if self.running < self.limits.concurrency else (inf, Why.LANE_FULL)
        of_breaker = self.breaker.ready_ms(now_ms)
        if of_breaker is None:
            return inf, Why.BREAKER
        if of_breaker > at_ms:
            at_ms, why = of_breaker, Why.BREAKER
        for limiter in (self._pace, self._gcra):
            if limiter is not None and (slot_ms := limiter.next_ms(now_ms)) > at_ms:
                at_ms, why = slot_ms, Why.RATE
        if self.running >= self.room and at_ms <= now_ms:
            return inf, Why.LANE_FULL
        return at_ms, why

    @property
    def room(self) -> int:
        """How many calls may be on the wire at once now."""
        of_breaker = self.breaker.room()
        return self.limits.concurrency if of_breaker is None else min(self.limits.concurrency, of_breaker)

    def capacity(self, now_ms: float) -> int:
        """Return how many may wait in the queue: what the lane can do in the queue's time (RULES 22)."""
        until_ms = self.ready_ms(now_ms)[0]
        if now_ms + self._tuning.queue_ms < until_ms < inf:
            # Nothing is kept in hand that long: its offset would hold up its partition's commits.
            return 0
        if self.breaker.state is not BreakerState.CLOSED:
            return self.limits.breaker.probes
        if (per_s := self._per_s(now_ms)) == inf:
            return self._tuning.unmeasured
        fits = ceil(per_s * self._tuning.queue_ms / 1000)
        if self.limits.rate is None:
            fits = max(fits if self.crowded else fits * self._tuning.slack, self.room)
        return max(1, min(fits, self._tuning.most_waiting))

    def overfull(self, now_ms: float) -> bool:
        """Tell whether more wait than fit."""
        self.measured_ms = now_ms
        return len(self.queue) > self.capacity(now_ms) or self.queue.bytes > self._tuning.most_bytes

    def _per_s(self, now_ms: float) -> float:
        """Return how many calls a second the lane can do, by its limits and by what it has measured; inf if neither says."""
        per_s = self.allowed_per_s(now_ms) or inf
        if self.stats.service_ms:
            per_s = min(per_s, max(1.0, self.room * 1000 / self.stats.service_ms))
        return per_s

    def begin(self, now_ms: float) -> Permit:
        """Count a call that begins now; only when ready."""
        self.running += 1
        self.stats.begun(now_ms)
        if self._gcra is not None:
            self._gcra.take(now_ms)
        if self._pace is not None:
            self._pace.take(now_ms)
        return self.breaker.admit(now_ms)

    def end(
        self,
        permit: Permit,
        health: Health,
        begun_ms: float,
        now_ms: float,
        pause_ms: int | None = None,
    ) -> None:
        """Note how a call ended; ``pause_ms`` is what a Retry-After asked for."""
        self.running -= 1
        self.idle_since_ms = now_ms
        self.stats.ended(max(0.0, now_ms - begun_ms))
        if self.breaker.ended(permit, health, now_ms):
            self.dirty = True
            self.told = False
        if pause_ms is not None:
            self.pause(now_ms + pause_ms)
        elif health is Health.LIMITED:
            self._slow(begun_ms, now_ms)

    def abandon(self, permit: Permit, now_ms: float) -> None:
        """Note that a call that began came to no end that says anything of the target."""
        self.running -= 1
        self.idle_since_ms = now_ms
        self.breaker.abandoned(permit)

    def pause(self, until_ms: float) -> None:
        """Let no call begin before ``until_ms``; a pause is made longer, never shorter."""
        if until_ms > self.paused_until_ms:
            self.paused_until_ms = until_ms
            self.dirty = True
            self.told = False

    def hold_off(self, open_until_ms: float, now_ms: float) -> None:
        """Open the breaker because that of another shard has opened (RULES 23)."""
        if open_until_ms > now_ms and self.breaker.state is BreakerState.CLOSED:
            self.dirty |= self.breaker.force_open(open_until_ms, now_ms)

    def _slow(self, begun_ms: float, now_ms: float) -> None:
        if self._pace is None:
            self._pace = Pace()
        lately = max(self.stats.per_s(now_ms), 1.0)
        rate = min(lately, self.limits.rate.per_s) if self.limits.rate is not None else lately
        if self._pace.slow(begun_ms, rate, now_ms):
            self.dirty = True

    def put_off(self, waits: int, now_ms: float) -> PutOff:
        """Decide until when one waits that does not fit the queue; a slot that is promised is promised to nobody else."""
        until_ms, why = self.ready_ms(now_ms)
        self._deferred += 1
        spread = self._deferred * _GOLDEN % 1.0
        breaker = self.breaker
        if breaker.state is BreakerState.OPEN and self._probed != breaker.generation:
            # One comes back when the breaker has been open for its time, so that the target is asked again then.
            self._probed = breaker.generation
            return PutOff(Why.BREAKER, round(max(breaker.open_until_ms, now_ms)), None, waits)
        if breaker.state is not BreakerState.CLOSED:
            return self._tuning.longer(Why.BREAKER, waits, spread, now_ms)
        if self.limits.paused_until_ms >= FOREVER_MS:
            return self._tuning.longer(Why.PAUSED, waits, spread, now_ms)
        if why not in (Why.PAUSED, Why.RETRY_AFTER):
            until_ms, why = now_ms, Why.RATE if self.limits.rate is not None else Why.LANE_FULL
        return self._promise(why, until_ms, spread, now_ms)

    def _promise(self, why: Why, from_ms: float, spread: float, now_ms: float) -> PutOff:
        spacing_ms = self._slot_spacing_ms(now_ms)
        first_ms = from_ms + spacing_ms if self._gcra is None else max(from_ms, self._gcra.next_ms(now_ms))
        slot_ms = max(first_ms + len(self.queue) * spacing_ms, self.promised_ms + spacing_ms)
        horizon_ms = max(self._tuning.horizon_ms, _LEAST_PROMISED * spacing_ms)
        if slot_ms > from_ms + horizon_ms:
            return PutOff(why, round(from_ms + horizon_ms * (0.5 + spread / 2)), None, 0)
        self.promised_ms = slot_ms
        self.dirty = True
        # Half of the way at least: who came back at once would be put off at once, to and fro until its slot.
        due_at_ms = max(slot_ms - self._tuning.lead_ms, (now_ms + slot_ms) / 2)
        return PutOff(why, round(due_at_ms), round(slot_ms), 0)

    def hand_on(self, promise_ms: int, now_ms: float) -> None:
        """Take back a slot that was promised to a task that needs it no more; the next deferral gets it (RULES 9)."""
        if now_ms < promise_ms <= self.promised_ms:
            self.promised_ms -= self._slot_spacing_ms(now_ms)

    def _slot_spacing_ms(self, now_ms: float) -> float:
        per_s = self._per_s(now_ms)
        if per_s == inf:
            return self._tuning.queue_ms / self._tuning.unmeasured  # Nothing is known: the queue lasts its time.
        quick_ms = self.stats.quantile(0.25)
        if self.limits.rate is None and quick_ms:
            # The mean may be of calls that our own load slowed, and such promises would keep the lane slow; the quicker
            # calls tell what the target can do, and what comes back too soon finds room in the queue.
            per_s = min(self.allowed_per_s(now_ms) or inf, max(per_s, self.room * 1000 / quick_ms))
        return 1000 / per_s

    def apply(self, limits: LaneLimits, now_ms: float) -> None:
        """Take changed limits."""
        before, self.limits = self.limits, limits
        if limits.breaker != before.breaker:
            self.breaker.change(limits.breaker)
        if (limits.rate, limits.burst) == (before.rate, before.burst):
            return
        if self._gcra is not None and limits.rate is not None:
            self._gcra.change(limits.rate, limits.burst, now_ms)
        else:
            # A limit that is new finds an empty bucket: what went before it was not counted.
            self._gcra = self._limiter(now_ms)
        self.promised_ms = min(self.promised_ms, now_ms)

    def _limiter(self, empty_at_ms: float) -> Gcra | None:
        if self.limits.rate is None:
            return None
        gcra = Gcra(self.limits.rate, self.limits.burst, way_ms=self._tuning.way_ms)
        gcra.empty(empty_at_ms)
        return gcra

    def memory(self, now_ms: float) -> LaneMemory:
        """Return what must not be forgotten."""
        breaker = self.breaker
        closed = breaker.state is BreakerState.CLOSED
        return LaneMemory(
            self.key,
            round(now_ms),
            tat_ms=round(self._gcra.tat_ms) if self._gcra is not None else 0,
            promised_ms=round(self.promised_ms),
            paused_until_ms=round(self.paused_until_ms),
            open_until_ms=0 if closed else round(breaker.open_until_ms),
            # Of a closed one nobody reads it, and a lane that nobody needs to know would be kept for ever.
            openings=0 if closed else breaker.openings,
            pace_per_s=self._pace.per_s(now_ms) if self._pace is not None else 0.0,
        )

    def _restore(self, memory: LaneMemory, now_ms: float) -> None:
        self.paused_until_ms = memory.paused_until_ms
        self.promised_ms = memory.promised_ms
        if self._gcra is not None:
            self._gcra.tat_ms = max(self._gcra.tat_ms, memory.tat_ms)
        if memory.open_until_ms:
            self.breaker.restore(memory.open_until_ms, memory.openings, now_ms)
        if memory.pace_per_s:
            self._pace = Pace()
            self._pace.restore(memory.pace_per_s, now_ms)

    @property
    def idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self.running and not len(self.queue)

    def allowed_per_s(self, now_ms: float) -> float | None:
        """Return the rate allowed now, or None where there is none."""
        limit = self.limits.rate.per_s if self.limits.rate is not None else None
        pace_per_s = self._pace.per_s(now_ms) if self._pace is not None else 0.0
        if not pace_per_s:
            return limit
        return pace_per_s if limit is None else min(limit, pace_per_s)
