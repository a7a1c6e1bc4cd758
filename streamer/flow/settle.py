"""Settles what was decided: what follows is published, then the state, then the record is done (RULES 2)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from math import inf

from msgspec import Struct

from streamer.core.delivery import Why
from streamer.core.emit import DeadLetterOf, Due, Emit, FirstPass, Held, ResultOf
from streamer.core.entry import Entry, supersedes
from streamer.core.outcome import Response
from streamer.flow.owned import Work
from streamer.ports import Abandoned, Change, Clock, Outbox

#: A group has no more than this: what comes behind a crowd of deferrals must not wait for all of them.
_MOST_AT_ONCE = 250
#: Nor more bytes of bodies, roughly: a record is made of some 300 MB of them a second, while everything else waits.
_MOST_BYTES_AT_ONCE = 512 * 1024


class Settlement(Struct):
    """What one record came to: records to publish, the task's new entry if it has one, and what is told after it.

    An answer to a command stands in ``told``: once somebody has read it, nothing of the task's old form may be sent, and
    it is the entry that sees to that.
    """

    work: Work
    emits: tuple[Emit, ...]
    entry: Entry | None
    told: tuple[Emit, ...] = ()
    #: Whether it was counted as a call's: after a crash before it is written the call is made again.
    counted: bool = False
    #: How far it is written: where something behind fails, what stands is neither written again nor undone.
    published: bool = False
    logged: bool = False

    @property
    def body_bytes(self) -> int:
        """Return how large the bodies are in what is to be written."""
        size = 0
        for emit in self.emits:
            if isinstance(emit, ResultOf):
                if emit.exchange is not None and isinstance(emit.exchange.end, Response):
                    size += len(emit.exchange.end.body)
            elif isinstance(emit, Held | Due | DeadLetterOf | FirstPass):
                size += len(emit.delivery.request.body)
        return size

    @property
    def attempted(self) -> bool:
        """Tell whether a call was made for it."""
        return any(isinstance(emit, ResultOf) and emit.exchange is not None for emit in self.emits)

    @property
    def deferral(self) -> bool:
        """Tell whether it only lays a delivery aside for a fault of ours."""
        return any(isinstance(emit, Held) and emit.delivery.why is Why.FAULT for emit in self.emits)


class Settler:
    """Writes settlements in groups: while one group waits for the broker, the next one gathers.

    Invariant: a record is done only after its entry is acknowledged, and its entry is sent only after every record that
    follows from it is acknowledged; what is told of it, after that.
    """

    def __init__(
        self,
        outbox: Outbox,
        on_settled: Callable[[Work], None],
        on_fault: Callable[[Settlement, Exception], None],
        clock: Clock,
        pace_ms: int = 0,
        in_flight: int = 1_000,
        allow: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Prepare; a group begins no sooner than ``pace_ms`` after the one before, unless it is a whole one.

        Nobody waits for a settlement but the offset that it finishes, and at a few hundred tasks a second groups that begin at
        once are of one or two: two requests to the broker for each task.

        ``allow`` is told how many calls may be in flight: ``in_flight``, less whatever more than as many have been answered
        and are not yet written. So no crash has more calls made again than twice ``in_flight``, however slow the broker is.
        """
        self._clock = clock
        self._pace_ms = pace_ms
        self._outbox = outbox
        self._on_settled = on_settled
        self._on_fault = on_fault
        self._in_flight = in_flight
        self._allow = allow
        self._unwritten = 0
        self._queue: deque[Settlement] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, settlement: Settlement) -> None:
        """Queue a settlement."""
        self._queue.append(settlement)
        settlement.work.owned.settling += 1
        settlement.counted = settlement.attempted
        if settlement.counted:
            self._unwritten += 1
            if self._unwritten > self._in_flight:
                self._weigh()
        self._wake.set()
        self._idle.clear()

    async def run(self) -> None:
        """Write groups until cancelled."""
        begun_ms = -inf
        while True:
            if not self._queue:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            rest_ms = begun_ms + self._pace_ms - self._clock.monotonic_ms()
            if rest_ms > 0 and len(self._queue) < _MOST_AT_ONCE:
                await self._clock.sleep_ms(rest_ms)
            begun_ms = self._clock.monotonic_ms()
            group = self._next_group()
            await self._settle(group)
            crowded = self._unwritten > self._in_flight
            for settlement in group:
                settlement.work.owned.settling -= 1
                self._unwritten -= settlement.counted
            if crowded:
                self._weigh()

    def _next_group(self) -> list[Settlement]:
        group: list[Settlement] = []
        room = _MOST_BYTES_AT_ONCE
        while self._queue and room > 0 and len(group) < _MOST_AT_ONCE:
            settlement = self._queue.popleft()
            room -= settlement.body_bytes
            group.append(settlement)
        return group

    def _weigh(self) -> None:
        self._allow(max(0, self._in_flight - max(0, self._unwritten - self._in_flight)))

    async def drained(self) -> None:
        """Wait until nothing is queued or being written."""
        await self._idle.wait()

    async def _settle(self, group: Sequence[Settlement]) -> None:
        live = [settlement for settlement in group if settlement.work.owned.may_act()]
        try:
            await self._write(live)
        except Abandoned:
            return
        except Exception as error:
            if len(live) == 1:
                self._on_fault(live[0], error)
                return
            # One settlement that cannot be written must not hold up the others: each goes alone.
            for settlement in live:
                await self._settle([settlement])

    async def _write(self, live: Sequence[Settlement]) -> None:
        emits = [emit for settlement in live if not settlement.published for emit in settlement.emits]
        if emits:
            await self._outbox.publish(emits)
        for settlement in live:
            settlement.published = True
        unlogged = [settlement for settlement in live if not settlement.logged]
        changes: list[Change] = [
            (settlement.work.owned.number, settlement.work.digest, settlement.entry)
            for settlement in unlogged
            if settlement.entry is not None
        ]
        if changes:
            await self._outbox.log(changes)
        for settlement in unlogged:
            settlement.logged = True
            if settlement.entry is not None:
                _put(settlement.work, settlement.entry)
        told = [emit for settlement in live for emit in settlement.told]
        if told:
            await self._outbox.publish(told)
        for settlement in live:
            self._done(settlement)

    def _done(self, settlement: Settlement) -> None:
        work = settlement.work
        if work.owned.open:
            work.finish()
            self._on_settled(work)


def _put(work: Work, entry: Entry) -> None:
    # Given up while the changelog's acknowledgement was on its way: the table may have gone on under its next owner.
    table = work.owned.table
    before = None if work.owned.open else table.get(work.digest)
    if before is None or supersedes(entry, before):
        table.put(work.digest, entry)
