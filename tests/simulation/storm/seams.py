"""Where a worker meets the world: its outbox, its sender, its tiers. Here writes go wrong, and here it dies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeVar

from streamer.core.delivery import Delivery
from streamer.core.emit import Emit
from streamer.core.entry import Entry
from streamer.core.held import HeldRecord
from streamer.core.outcome import Exchange
from streamer.flow.hold import Place, Relay
from streamer.ports import Abandoned, Change
from tests.simulation.storm.broker import DUE, TIER_NAMES
from tests.simulation.storm.crash_points import CrashPoint

if TYPE_CHECKING:
    from tests.simulation.storm.process import Process

T = TypeVar("T")
#: How long the broker takes to acknowledge, and how late what a dead worker had sent may land.
ACK_MS, LATE_MS = (1, 20), (200, 14_000)


class Refused(Exception):
    """The broker does not take a write, for a reason that says nothing of the lease."""


class ProcessOutbox:
    """Writes to the broker for one process: in part, twice, late, or not at all."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Write all; what lands is judged at once."""
        await self.write(emits, self._land, self._land_late, CrashPoint.PUBLISH_NONE, CrashPoint.PUBLISH_ALL)

    async def log(self, changes: Sequence[Change]) -> None:
        """Append to the changelog."""
        none, all_landed = CrashPoint.STATE_NONE, CrashPoint.STATE_ALL
        await self.write(changes, self._log, self._log_late, none, all_landed)

    async def write(
        self,
        items: Sequence[T],
        land: Callable[[T], None],
        land_late: Callable[[T], None],
        none: CrashPoint,
        all_landed: CrashPoint,
    ) -> None:
        """Let items land, and wait for the broker's word."""
        process, world = self._process, self._process.world
        chance, chances = world.chance, world.chances
        if process.dies(none) or not process.lease.held():
            if items and chance.random() < chances.late:
                world.loop.after_ms(chance.randrange(*LATE_MS), _land_all, items, land_late)
                world.injected["late write"] += 1
            await self._unheard()
        if none is CrashPoint.PUBLISH_NONE and chance.random() < chances.refused:
            # A record may be too large; an entry never is.
            world.refused(items)
            raise Refused("the broker refuses the write")
        if process.armed is CrashPoint.PUBLISH_PART and none is CrashPoint.PUBLISH_NONE and len(items) > 1:
            _land_all(items[: chance.randrange(1, len(items))], land)
            process.dies(CrashPoint.PUBLISH_PART)
            await self._unheard()
        if chance.random() < chances.twice:
            world.injected["effect, then error"] += 1
            _land_all(items[: chance.randrange(len(items) + 1)], land)
        _land_all(items, land)
        if not process.dies(all_landed):
            await world.clock.sleep_ms(chance.randint(*ACK_MS))
        if process.dead or not process.lease.held():
            await self._unheard()

    async def _unheard(self) -> None:
        if not self._process.dead:
            raise Abandoned
        await self._process.gone()

    def _land(self, emit: Emit, *, late: bool = False) -> None:
        world = self._process.world
        world.oracle.landed(emit, late=late)
        world.broker.lay(emit)

    def _land_late(self, emit: Emit) -> None:
        self._land(emit, late=True)

    def _log(self, change: Change) -> None:
        process, (number, key, value) = self._process, change
        offset = process.world.broker.log(change)
        process.logged(number, offset)
        if isinstance(value, Entry):
            process.world.oracle.wrote(number, key, value)
        elif value is None and len(key) == 16:
            process.world.oracle.forgot(number, key)

    def _log_late(self, change: Change) -> None:
        world = self._process.world
        world.broker.log(change)
        if len(change[1]) == 16:
            world.late_keys[change[0]].add(change[1])


def _land_all(items: Sequence[T], land: Callable[[T], None]) -> None:
    for item in items:
        land(item)


class ProcessSender:
    """Calls the targets for one process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def send(self, delivery: Delivery) -> Exchange:
        """Make one call; nothing of it happens where the process is dead."""
        process, world = self._process, self._process.world
        if world.chance.random() < world.chances.fault:
            world.injected["fault of ours"] += 1
            raise ZeroDivisionError("a bug of ours")
        if process.dies(CrashPoint.BEGUN):
            await process.gone()
        owner, oracle, begun_ms = process.owned_of(delivery), world.oracle, world.loop.now_ms
        started_at_ms = world.clock.now_ms()
        oracle.called(owner, delivery)
        world.check_owner(process, delivery)
        answer = world.targets.answer(delivery)
        try:
            if process.dies(CrashPoint.ON_WIRE):
                await process.gone()
            await world.clock.sleep_ms(answer.took_ms)
            if process.dies(CrashPoint.ANSWERED):
                await process.gone()
        except BaseException:
            oracle.cut_off(owner, delivery, begun_ms)
            raise
        oracle.answered(owner, delivery, answer.end, begun_ms, answer.retry_after_ms)
        return Exchange(answer.end, started_at_ms, answer.took_ms, "192.0.2.1")

    async def close(self) -> None:
        """Do nothing."""


class ProcessTiers:
    """The tiers as one process's hold reads and writes them."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._releases: list[tuple[int, str, int, int]] = []
        self._unfinished: set[tuple[str, int, int]] = set()

    # What hold asks

    def places(self) -> Collection[Place]:
        """Return the partitions of tiers that are ours now."""
        return [place for place in self._process.windows if place[0] in TIER_NAMES]

    async def read(self, wanted: Collection[Place], timeout_ms: int) -> Sequence[tuple[Place, HeldRecord]]:
        """Read on in the wanted partitions."""
        process, out = self._process, []
        for place in wanted:
            window = process.windows.get(place)
            if window is None:
                continue
            for record in process.world.broker.logs[place][window.next_offset : window.next_offset + 200]:
                window.take(record.offset, record.size_bytes)
                out.append((place, record))
        if not out and timeout_ms:
            await process.world.clock.sleep_ms(timeout_ms)
        return out

    async def write(self, relays: Sequence[Relay]) -> None:
        """Write records on."""
        none, all_landed = CrashPoint.PUBLISH_NONE, CrashPoint.PUBLISH_ALL
        await self._process.raw_outbox.write(relays, self._land, self._land, none, all_landed)

    def finish(self, place: Place, offset: int) -> None:
        """Mark a record done."""
        self._unfinished.discard((*place, offset))
        window = self._process.windows.get(place)
        if window is not None and offset < window.next_offset:
            window.finish(offset)

    def crowded(self, partition: int) -> bool:
        """Tell that deliver is never far behind."""
        return False

    def _land(self, relay: Relay) -> None:
        world, record = self._process.world, relay.record
        world.oracle.relayed(record.record)
        if relay.tier is None:
            world.broker.append(DUE, relay.partition, record.record)
        else:
            world.broker.hold(relay.tier, relay.partition, record.record, relay.release_at_ms, record.due_at_ms)
        world.relayed.add(id(record))

    # For the process

    def assigned(self) -> None:
        """Note all that waits on the partitions that have come to us."""
        self._releases.clear()
        self._unfinished.clear()
        for place in self.places():
            log = self._process.world.broker.logs[place]
            for offset in range(self._process.windows[place].next_offset, len(log)):
                self.appended(place, offset)

    def appended(self, place: Place, offset: int) -> bool:
        """Note a record that has been laid on a partition of ours; tell whether it is the next to leave."""
        record = self._process.world.broker.logs[place][offset]
        self._unfinished.add((*place, offset))
        heappush(self._releases, (record.release_at_ms, *place, offset))
        return self._releases[0][3] == offset and self._releases[0][1:3] == place

    def next_release_ms(self) -> int | None:
        """Return when the next of our records leaves."""
        releases = self._releases
        while releases and releases[0][1:] not in self._unfinished:
            heappop(releases)
        return releases[0][0] if releases else None
