"""Writes down what lanes must not forget, tells other shards what one has learnt, and shows figures to people."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from streamer.core.breaker import BreakerState
from streamer.core.emit import Emit, LaneSignal
from streamer.core.figures import LaneFigures
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import LaneMemory, lane_digest
from streamer.core.partitioning import lane_hash, partition_of
from streamer.flow.gate import Gate
from streamer.flow.owned import Owned, Work
from streamer.ports import Abandoned, Change, Clock, Outbox

log = logging.getLogger(__name__)

#: How long changed state may wait to be written, and figures.
STATE_MS = 250
FIGURES_MS = 1_000
#: No more figures are written in one round, some 25 ms of work; the others follow in the next ones.
_MOST_FIGURES = 500


class LaneKeeper:
    """Looks at the lanes a few times a second while anything happens, and writes only what has changed (RULES 28)."""

    def __init__(self, gate: Gate, outbox: Outbox, clock: Clock, partitions: int, worker: str) -> None:
        self._gate = gate
        self._lanes = gate.lanes
        self._outbox = outbox
        self._clock = clock
        self._partitions = partitions
        self._worker = worker
        self._owned: dict[LaneBook, Owned] = {}
        self._shown: dict[str, tuple[LaneBook, LaneFigures]] = {}
        #: Lanes whose figures are to be removed.
        self._gone: list[str] = []

    def own(self, owned: Owned) -> None:
        """Write for the lanes of this partition from now on."""
        self._owned[owned.lanes] = owned

    def disown(self, owned: Owned) -> None:
        """Write for them no more."""
        if self._owned.get(owned.lanes) is owned:
            del self._owned[owned.lanes]
            self._shown = {key: shown for key, shown in self._shown.items() if shown[0] is not owned.lanes}

    async def run(self) -> None:
        """Write now and then until cancelled: state soon after it has changed, figures once a second."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._whenever(self._gate.changed, STATE_MS, self._keep))
            both.create_task(self._whenever(self._gate.stirred, FIGURES_MS, self._show))

    async def _whenever(self, event: asyncio.Event, after_ms: int, write: Callable[[int], Awaitable[None]]) -> None:
        while True:
            await event.wait()
            event.clear()
            await self._clock.sleep_ms(after_ms)
            try:
                await write(self._clock.now_ms())
            except Abandoned:
                continue
            except Exception:
                # What changed is still marked; without figures and memory lanes go on.
                log.exception("the lanes' state could not be written, will be tried again")
                event.set()

    async def _keep(self, now_ms: int) -> None:
        await self._write(now_ms, list(self._lanes.changed))

    def forget_idle(self) -> None:
        """Forget lanes that have been idle for a while, and what their books need to know no more."""
        now_ms = self._clock.now_ms()
        self._lanes.forget_idle(now_ms)
        for book in self._owned:
            self._lanes.erased += [(book, digest) for digest in book.forget_trivial(now_ms)]
        self._gate.stir()

    async def flush(self, owned: Sequence[Owned] | None = None) -> None:
        """Write all that the next owners must know: a lane that is handed over loses nothing.

        Nothing is raised: whoever gives up partitions has more to do than this.
        """
        now_ms = self._clock.now_ms()
        books = set(self._owned) if owned is None else {one.lanes for one in owned}
        try:
            await self._write(now_ms, [lane for lane in self._lanes if lane.book in books])
        except Abandoned:
            return
        except Exception:
            log.exception("what the lanes know could not be written for their next owner")

    # State

    async def _write(self, now_ms: int, lanes: Sequence[Lane[Work]]) -> None:
        changes: list[Change] = []
        signals: list[Emit] = []
        telling: list[Lane[Work]] = []
        kept: list[tuple[LaneBook, LaneMemory, LaneMemory | None]] = []
        for lane in lanes:
            self._lanes.changed.pop(lane, None)
            owned = self._owned.get(lane.book)
            memory = lane.memory(now_ms)
            known = lane.book.get(lane.key)
            if owned is None or not owned.may_act() or (memory.trivial(now_ms) and known is None):
                continue
            changes.append((owned.number, lane_digest(lane.key), None if memory.trivial(now_ms) else memory))
            kept.append((lane.book, memory, known))
            if news := self._signals(lane, memory, now_ms):
                signals += news
                telling.append(lane)
        erased, self._lanes.erased = self._lanes.erased, []
        for book, digest in erased:
            owned = self._owned.get(book)
            if owned is not None and owned.may_act():
                changes.append((owned.number, digest, None))
        try:
            if signals:
                await self._outbox.publish(signals)
            if changes:
                await self._outbox.log(changes)
        except Exception:
            self._lanes.changed.update(dict.fromkeys(lanes))
            self._lanes.erased += erased
            for lane in telling:
                lane.told = False
            raise
        for book, memory, before in kept:
            # A lane that was forgotten in the meantime has left a newer memory.
            if book.get(memory.lane) is before:
                book.keep(memory, now_ms)

    def _signals(self, lane: Lane[Work], memory: LaneMemory, now_ms: int) -> list[Emit]:
        """Return what the other shards are to know: when calls may begin again."""
        if lane.limits.shards < 2 or max(memory.paused_until_ms, memory.open_until_ms) <= now_ms or lane.told:
            return []
        # Once for each change, and never in answer to a signal: two shards would tell each other for ever.
        lane.told = True
        domain, _, own = lane.key.partition("#")
        return [
            LaneSignal(
                domain,
                shard,
                partition_of(domain, self._partitions, shard),
                memory.paused_until_ms,
                memory.open_until_ms,
                now_ms,
            )
            for shard in range(lane.limits.shards)
            if shard != int(own or 0)
        ]

    # Figures

    async def _show(self, now_ms: int) -> None:
        active = self._lanes.active
        looked_at = list(active)[:_MOST_FIGURES]
        self._gone += [key for key in self._lanes.take_gone() if key in self._shown]
        gone = [_gone(key, now_ms) for key in self._gone]
        changed: list[tuple[Lane[Work], LaneFigures]] = []
        for lane in looked_at:
            del active[lane]
            owned = self._owned.get(lane.book)
            if owned is None or not owned.may_act():
                continue
            figures = self._figures(lane, owned, now_ms)
            before = self._shown.get(lane.key)
            if before is None or replace(figures, at_ms=before[1].at_ms) != before[1]:
                changed.append((lane, figures))
            if not lane.idle or figures.rate_used_per_s:
                # Its figures change by time alone.
                active[lane] = None
        if active:
            self._gate.stirred.set()
        try:
            if gone or changed:
                await self._outbox.publish([*gone, *(figures for _, figures in changed)])
        except Exception:
            active.update(dict.fromkeys(looked_at))
            raise
        for key in self._gone[: len(gone)]:
            self._shown.pop(key, None)
        del self._gone[: len(gone)]
        self._shown.update({lane.key: (lane.book, figures) for lane, figures in changed if lane.book in self._owned})

    def _figures(self, lane: Lane[Work], owned: Owned, now_ms: int) -> LaneFigures:
        domain, _, shard = lane.key.partition("#")
        state, limits = lane.breaker.state, lane.limits
        paused_until_ms = max(limits.paused_until_ms, round(lane.paused_until_ms))
        by = "operator" if limits.paused_until_ms == paused_until_ms else "receiver"
        paused = paused_until_ms > now_ms
        return LaneFigures(
            lane=domain,
            shard=int(shard or 0),
            at_ms=now_ms,
            rate_used_per_s=lane.stats.per_s(now_ms),
            rate_allowed_per_s=lane.allowed_per_s(now_ms),
            concurrency=lane.room,
            in_flight=lane.running,
            queue=len(lane.queue),
            queue_limit=lane.capacity(now_ms),
            open_tasks=owned.table.open_in(lane_hash(domain)),
            breaker=state.name.lower(),
            open_until_ms=round(lane.breaker.open_until_ms) if state is BreakerState.OPEN else 0,
            paused_until_ms=paused_until_ms if paused else 0,
            paused_by=by if paused else None,
            promised_until_ms=round(lane.promised_ms) if lane.promised_ms > now_ms else 0,
            oldest_waiting_ms=lane.queue.oldest_ms(now_ms),
            p50_ms=lane.stats.quantile(0.5),
            p95_ms=lane.stats.quantile(0.95),
            worker=self._worker,
        )


def _gone(key: str, now_ms: int) -> LaneFigures:
    domain, _, shard = key.partition("#")
    return LaneFigures(domain, int(shard or 0), now_ms, gone=True)
