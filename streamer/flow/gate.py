"""The gate between work in hand and the wire: lanes with a clock, so that each call begins when its lane allows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil, inf

from streamer.core.decide import expired
from streamer.core.delivery import Delivery
from streamer.core.emit import LaneSignal
from streamer.core.grant import Grant
from streamer.core.health import Health
from streamer.core.lane import Lane
from streamer.core.lanes import Lanes
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import PutOff, Tuning
from streamer.core.rate import Rate
from streamer.core.waiting import Waiting
from streamer.flow.owned import Owned, Work
from streamer.ports import Clock


class Gate:
    """Queues work in its lane, and calls ``begin``, ``put_off`` or ``stale`` for each once it is known what becomes of it."""

    def __init__(
        self,
        clock: Clock,
        policies: Callable[[], PolicyBook],
        *,
        in_flight: int,
        rate: Rate | None,
        tuning: Tuning,
        begin: Callable[[Grant[Work]], None],
        put_off: Callable[[Work, PutOff], None],
        stale: Callable[[Work], None],
    ) -> None:
        self._clock = clock
        self._begin = begin
        self._put_off = put_off
        self._expired = stale
        self.lanes: Lanes[Work] = Lanes(policies, in_flight, rate, tuning, _stale)
        #: Set when a lane's figures may have changed, and when what it must not forget has.
        self.stirred = asyncio.Event()
        self.changed = asyncio.Event()
        self._looking = False
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_ms = inf

    def lane(self, delivery: Delivery, owned: Owned) -> Lane[Work]:
        """Return the lane of a delivery."""
        return self.lanes.lane(delivery.lane, delivery.shard, owned.lanes, self._clock.now_ms())

    def enter(self, work: Work, delivery: Delivery) -> None:
        """Let work wait in its lane for its turn, which may be now."""
        request, now_ms = delivery.request, self._clock.now_ms()
        lane = self.lanes.lane(delivery.lane, delivery.shard, work.owned.lanes, now_ms)
        taker = self.lanes.caps.taker(delivery.business, request.policy)
        if (grant := self.lanes.begin_at_once(lane, work, taker, now_ms)) is not None:
            self.stirred.set()
            self._begin(grant)
            return
        waiting = Waiting(
            item=work,
            business=taker,
            priority=request.priority,
            promise_ms=delivery.promise_ms,
            retry=delivery.attempt > 1,
            size_bytes=len(request.body) + len(request.url) + 1_000,
            arrived_ms=now_ms,
        )
        work.place = (lane, waiting)
        work.owned.queued[work.digest] = work
        lane.crowded = work.window.half_full
        self.lanes.offer(lane, waiting)
        self.look()

    def leave(self, work: Work) -> bool:
        """Take work out of its lane's queue; False when it waits there no more."""
        place, work.place = work.place, None
        work.owned.queued.pop(work.digest, None)
        return place is not None and place[0].queue.remove(place[1])

    def end(self, grant: Grant[Work], health: Health, pause_ms: int | None) -> None:
        """Note how a call ended; ``pause_ms`` is what a Retry-After asked for."""
        self.lanes.end(grant, health, self._clock.now_ms(), pause_ms)
        self.look()

    def abandon(self, grant: Grant[Work]) -> None:
        """Note that a call came to no end that says anything of its target."""
        self.lanes.abandon(grant, self._clock.now_ms())
        self.look()

    def signal(self, signal: LaneSignal, owned: Owned) -> None:
        """Take what another shard has learnt."""
        now_ms = self._clock.now_ms()
        lane = self.lanes.lane(signal.lane, signal.shard, owned.lanes, now_ms)
        self.lanes.signal(lane, signal.paused_until_ms, signal.open_until_ms, now_ms)
        self.look()

    def look(self) -> None:
        """Look at the lanes once what is being done is done: a batch that comes together is looked at together."""
        self.stir()
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._turn)

    def allow(self, in_flight: int) -> None:
        """Let so many calls be in flight from now on; those that are more go on."""
        if in_flight != self.lanes.limit_total:
            self.lanes.limit_total = in_flight
            self.look()

    def stir(self) -> None:
        """Let what has changed be written and shown."""
        self.stirred.set()
        if self.lanes.changed or self.lanes.erased:
            self.changed.set()

    def empty(self, owned: Owned | None = None) -> None:
        """Forget who waits, for a partition or for all; what is on the wire goes on."""
        self.lanes.drop(owned.lanes if owned is not None else None)

    def close(self, owned: Owned) -> None:
        """Give a partition's lanes up; their memory stays in its book."""
        self.lanes.close(owned.lanes, self._clock.now_ms())

    def _turn(self) -> None:
        self._looking = False
        now_ms = self._clock.now_ms()
        turn = self.lanes.turn(now_ms)
        for work in turn.stale:
            self._left(work)
            self._expired(work)
        for grant in turn.begun:
            self._left(grant.item)
            self._begin(grant)
        for work, lane in turn.put_off:
            self._left(work)
            assert isinstance(work.item, Delivery)
            self._put_off(work, self.lanes.put_off(lane, work.item.waits, now_ms))
        self.stir()
        self._arm(now_ms)

    @staticmethod
    def _left(work: Work) -> None:
        work.place = None
        work.owned.queued.pop(work.digest, None)

    def _arm(self, now_ms: float) -> None:
        at_ms = self.lanes.next_ms()
        if at_ms >= self._alarm_ms:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_ms = at_ms
        # The clock counts whole ms: a fraction less would find nothing ready yet.
        self._alarm = asyncio.create_task(self._ring(max(1, ceil(at_ms - now_ms))))

    async def _ring(self, wait_ms: float) -> None:
        await self._clock.sleep_ms(wait_ms)
        self._alarm, self._alarm_ms = None, inf
        self._turn()

    def stop(self) -> None:
        """Ring no more."""
        if self._alarm is not None:
            self._alarm.cancel()


def _stale(work: Work, now_ms: float) -> bool:
    return isinstance(work.item, Delivery) and expired(work.item, int(now_ms))
