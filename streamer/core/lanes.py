"""All lanes of a worker: who may begin now, who waits, and who must wait elsewhere.

Must not know what an item is, how it is sent, nor the time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from typing import Generic

from streamer.core.caps import CapCounts
from streamer.core.gcra import Gcra
from streamer.core.grant import Grant, Turn
from streamer.core.health import Health
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import PutOff, Tuning
from streamer.core.rate import Rate, usual_burst
from streamer.core.waiting import Item, Waiting
from streamer.core.wakes import Wakes

#: Idle lanes are kept this long for what they have measured, and no more of them than this.
IDLE_MS = 60_000
MOST_IDLE = 10_000
#: How long a queue may be longer than fits because calls have become slower: nothing else changes that without a word.
_MEASURE_MS = 100


class Lanes(Generic[Item]):
    """Lanes by key, made when first needed and forgotten when idle, under one cap on calls at once and one on their rate.

    Invariant: a lane in ``_turns`` stands there once. Every lane with somebody waiting is in ``_touched``, in ``_turns``, has a
    wake, waits for a call of its own to end, or is in ``_blocked`` by the caps of its businesses.
    """

    __slots__ = (
        "_blocked", "_count", "_gone", "_in_turns", "_lanes", "_limiter", "_policies",
        "_stale", "_touched", "_tuning", "_turns", "_wakes", "active", "caps", "changed", "erased", "limit_total", "running",
    )  # fmt: skip

    def __init__(
        self,
        policies: Callable[[], PolicyBook],
        limit_total: int,
        rate_total: Rate | None = None,
        tuning: Tuning | None = None,
        stale: Callable[[Item, float], bool] = lambda _item, _now_ms: False,
    ) -> None:
        if limit_total < 1:
            raise ValueError(f"the limit is {limit_total} in all: allowed is 1 or more")
        self.limit_total = limit_total
        self.running = 0
        self._policies = policies
        self._stale = stale
        self.caps = CapCounts(policies())
        self._tuning = tuning or Tuning()
        self._limiter = Gcra(rate_total, usual_burst(rate_total)) if rate_total is not None else None
        self._lanes: dict[LaneBook, dict[str, Lane[Item]]] = {}
        self._count = 0
        #: Lanes to be looked at, and whether more may have come than fits.
        self._touched: dict[Lane[Item], bool] = {}
        self._turns: deque[Lane[Item]] = deque()
        self._in_turns: set[Lane[Item]] = set()
        self._blocked: dict[Lane[Item], None] = {}
        #: Lanes whose memory has changed since it was written, and keys that may leave the changelog.
        self.changed: dict[Lane[Item], None] = {}
        self.erased: list[tuple[LaneBook, bytes]] = []
        #: Lanes whose figures may have changed.
        self.active: dict[Lane[Item], None] = {}
        self._gone: list[tuple[LaneBook, str]] = []
        self._wakes: Wakes[Item] = Wakes()

    def __repr__(self) -> str:
        return f"<Lanes {len(self)} running={self.running}/{self.limit_total} waiting={self.waiting}>"

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Lane[Item]]:
        return (lane for lanes in self._lanes.values() for lane in lanes.values())

    def lane(self, domain: str, shard: int, book: LaneBook, now_ms: float) -> Lane[Item]:
        """Return a domain's lane, or a shard's, made if need be from what the book knows."""
        key = f"{domain}#{shard}" if shard else domain
        lanes = self._lanes.get(book)
        if lanes is None:
            lanes = self._lanes[book] = {}
        lane = lanes.get(key)
        if lane is None:
            if self._policies() is not self.caps.book:
                # Else a limit would be changed under the lane at its first turn, and find an empty bucket.
                self._apply(now_ms)
            limits = self.caps.book.lane(domain)
            lane = lanes[key] = Lane(key, limits, book, self._tuning, self.caps.weight_of, now_ms)
            self._count += 1
        return lane

    def begin_at_once(self, lane: Lane[Item], item: Item, taker: str, now_ms: float) -> Grant[Item] | None:
        """Return leave to begin for an item that need not wait at all; None when it must be offered."""
        if len(lane.queue) or self._turns or self.running >= self.limit_total or self._limiter is not None:
            return None
        if self._policies() is not self.caps.book:
            self._apply(now_ms)
        lane.queue.places.came(taker, now_ms)
        if lane.ready_ms(now_ms)[0] > now_ms or not self._may(lane, taker, now_ms):
            return None
        self.active[lane] = None
        return self._grant(lane, item, taker, now_ms)

    def offer(self, lane: Lane[Item], waiting: Waiting[Item]) -> None:
        """Let an item wait in its lane until the next turn says what becomes of it."""
        lane.queue.push(waiting)
        self.active[lane] = None
        self._touched[lane] = True

    def turn(self, now_ms: float) -> Turn[Item]:
        """Look at every lane where something has changed or whose time has come."""
        if self._policies() is not self.caps.book:
            self._apply(now_ms)
        turn: Turn[Item] = Turn([], [], [])
        self._touched.update(dict.fromkeys(self._wakes.due(now_ms), True))
        touched, self._touched = self._touched, {}
        kept = len(self._turns)
        for lane in touched:
            self._look(lane, now_ms)
        self._begin(turn, now_ms, kept)
        for lane, more in touched.items():
            if more or now_ms - lane.measured_ms >= _MEASURE_MS:
                turn.thin_out(lane, now_ms)
        return turn

    def _look(self, lane: Lane[Item], now_ms: float) -> None:
        """Put a lane where it belongs: in the turns, or among the wakes."""
        if lane in self._in_turns or not len(lane.queue):
            return
        at_ms, _ = lane.ready_ms(now_ms)
        if at_ms <= now_ms:
            self._turns.append(lane)
            self._in_turns.add(lane)
        else:
            self._wakes.set(lane, at_ms)

    def _begin(self, turn: Turn[Item], now_ms: float, kept: int) -> None:
        """Give each lane its turn; the first ``kept`` were ready at an earlier instant, the others are so now."""
        turns, limiter = self._turns, self._limiter
        while turns and self.running < self.limit_total:
            if limiter is not None and limiter.next_ms(now_ms) > now_ms:
                return
            lane = turns.popleft()
            self._in_turns.discard(lane)
            kept -= 1
            if kept >= 0 and (not len(lane.queue) or lane.ready_ms(now_ms)[0] > now_ms):
                self._look(lane, now_ms)
                continue
            waiting = lane.queue.pop(partial(self._may, lane, now_ms=now_ms))
            if waiting is None:
                self._blocked[lane] = None
                continue
            if self._stale(waiting.item, now_ms):
                # It takes no slot from those that are still worth sending.
                turn.stale.append(waiting.item)
                self._look(lane, now_ms)
                continue
            if limiter is not None:
                limiter.take(now_ms)
            turn.begun.append(self._grant(lane, waiting.item, waiting.business, now_ms))
            self._look(lane, now_ms)

    def _may(self, lane: Lane[Item], taker: str, now_ms: float) -> bool:
        return self.caps.may(taker) and lane.queue.places.may(taker, lane.room, now_ms)

    def _grant(self, lane: Lane[Item], item: Item, taker: str, now_ms: float) -> Grant[Item]:
        self.running += 1
        lane.queue.places.take(taker)
        return Grant(item, lane, lane.begin(now_ms), taker, self.caps.take(taker), now_ms)

    def next_ms(self) -> float:
        """Return when something may change by time alone; inf if nothing will."""
        at_ms = self._wakes.next_ms()
        limiter = self._limiter
        if self._turns and limiter is not None and self.running < self.limit_total:
            # Read, not asked: the limiter would follow any other instant than now as a clock that was set.
            at_ms = min(at_ms, limiter.tat_ms - (limiter.burst - 1) * limiter.spacing_ms)
        return at_ms

    def end(self, grant: Grant[Item], health: Health, now_ms: float, pause_ms: int | None = None) -> None:
        """Note how a call ended; ``pause_ms`` is what a Retry-After asked for."""
        if not grant.ended:
            grant.lane.end(grant.permit, health, grant.begun_ms, now_ms, pause_ms)
            self._note(grant.lane)
            self._ended(grant)

    def abandon(self, grant: Grant[Item], now_ms: float) -> None:
        """Note that a call came to no end that says anything of the target: cancelled, or never on the wire."""
        if not grant.ended:
            grant.lane.abandon(grant.permit, now_ms)
            self._ended(grant)

    def _ended(self, grant: Grant[Item]) -> None:
        grant.ended = True
        self.running -= 1
        self.caps.give_back(grant.caps)
        lane = grant.lane
        lane.queue.places.give_back(grant.taker)
        self.active[lane] = None
        if len(lane.queue):
            self._touched.setdefault(lane, lane in self.changed)
        elif not lane.running and self._count > MOST_IDLE and lane not in self.changed:
            self._evict(lane, grant.begun_ms)
        if self._blocked and grant.caps:
            self._touched.update(dict.fromkeys(self._blocked, True))
            self._blocked.clear()

    def drop(self, book: LaneBook | None = None) -> None:
        """Forget who waits in the lanes of a book, or in all. What runs is not touched."""
        for lane in self if book is None else self._lanes.get(book, {}).values():
            lane.queue.drop(lambda _: True)

    def close(self, book: LaneBook, now_ms: float) -> None:
        """Forget who waits in the lanes of a book, and leave their memory with it."""
        for lane in list(self._lanes.get(book, {}).values()):
            lane.queue.drop(lambda _: True)
            self.changed.pop(lane, None)
            self._evict(lane, now_ms)
        # Its figures are the next owner's to tell, and so is what its changelog may forget.
        self._gone = [(kept, key) for kept, key in self._gone if kept is not book]
        self.erased = [(kept, digest) for kept, digest in self.erased if kept is not book]

    def forget_idle(self, now_ms: float) -> int:
        """Forget lanes that have been idle for a while, and leave their memory with their books; return how many."""
        before_ms = now_ms - IDLE_MS
        idle = [lane for lane in self if lane.idle and lane.idle_since_ms <= before_ms]
        for lane in idle:
            if lane not in self.changed:
                self._evict(lane, now_ms)
        self._wakes.sweep()
        return len(idle)

    def _evict(self, lane: Lane[Item], now_ms: float) -> None:
        lanes = self._lanes.get(lane.book, {})
        if lanes.get(lane.key) is not lane:
            # An earlier assignment's, whose calls end only now.
            return
        del lanes[lane.key]
        self._count -= 1
        if not lanes:
            del self._lanes[lane.book]
        self.active.pop(lane, None)
        self._gone.append((lane.book, lane.key))
        erased = lane.book.keep(lane.memory(now_ms), int(now_ms))
        if erased is not None:
            self.erased.append((lane.book, erased))

    def signal(self, lane: Lane[Item], paused_until_ms: int, open_until_ms: int, now_ms: float) -> None:
        """Take what another shard of the domain has learnt."""
        told = lane.told
        lane.pause(paused_until_ms)
        lane.hold_off(open_until_ms, now_ms)
        # It is no news to the others; what this lane has met itself and not told yet still is.
        lane.told = told
        self._note(lane)
        self._touched[lane] = True

    def put_off(self, lane: Lane[Item], waits: int, now_ms: float) -> PutOff:
        """Decide until when one waits that does not fit its lane's queue."""
        put_off = lane.put_off(waits, now_ms)
        self._note(lane)
        return put_off

    def take_gone(self) -> list[str]:
        """Return the lanes forgotten for being idle since the last time this was asked."""
        gone, self._gone = self._gone, []
        return [key for _, key in gone]

    def _note(self, lane: Lane[Item]) -> None:
        if lane.dirty:
            lane.dirty = False
            self.changed[lane] = None

    def _apply(self, now_ms: float) -> None:
        self.caps.book = self._policies()
        for lane in self:
            limits = self.caps.book.lane(lane.key.partition("#")[0])
            if limits != lane.limits:
                lane.apply(limits, now_ms)
                lane.wake_ms = inf
            if len(lane.queue):
                self._touched[lane] = True

    @property
    def waiting(self) -> int:
        """How many items wait, in all lanes."""
        return sum(len(lane.queue) for lane in self)
