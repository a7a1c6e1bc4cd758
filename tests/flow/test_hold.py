"""Hold: when a record leaves its tier, where it goes, and how much of the tiers is kept in hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest

from streamer.adapters.memory.clock import VirtualClock
from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.memory.tier_log import MemoryTierLog
from streamer.core.ladder import DEFAULT_TIERS
from streamer.flow.hold import ROUND_MS, Hold, Relay
from tests.core.samples import NOW_MS

MINUTE_MS = 60_000
PLACE = ("1m", 0)


class Shelf:
    """Hold running on tiers in memory."""

    def __init__(self) -> None:
        self.clock, self.meter = VirtualClock(NOW_MS), MemoryMeter()
        self.log = MemoryTierLog(self.clock, most_at_once=10)
        self.log.own([(tier, partition) for tier in ("5s", "10s", "30s", "1m") for partition in (0, 1)])
        self.hold = Hold(self.log, self.clock, self.meter, DEFAULT_TIERS)
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(self.hold.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    @property
    def due(self) -> list[tuple[object, int]]:
        """What was released, and how long after the beginning."""
        return [(released.record, released.at_ms - NOW_MS) for released in self.log.due]


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    shelf = Shelf()
    yield shelf
    await shelf.stop()


async def test_record_is_released_when_due_and_never_before(shelf: Shelf) -> None:
    """A record leaves its tier at its time, give or take nothing on this clock, and is then done."""
    shelf.log.append(PLACE, "a", NOW_MS + MINUTE_MS, NOW_MS + MINUTE_MS)
    shelf.start()
    await shelf.clock.advance(MINUTE_MS - 1)
    assert (shelf.due, shelf.log.committable(PLACE)) == ([], 0)
    await shelf.clock.advance(1)
    assert (shelf.due, shelf.log.committable(PLACE)) == ([("a", MINUTE_MS)], 1)
    assert shelf.meter.counted("records_released", "1m") == 1


async def test_records_are_released_in_the_order_of_their_times(shelf: Shelf) -> None:
    """RULES 21: within the last stretch neighbours may want to leave in another order than they came."""
    for name, seconds in (("late", 10), ("early", 6), ("middle", 8)):
        shelf.log.append(("10s", 0), name, NOW_MS + seconds * 1_000, NOW_MS + seconds * 1_000)
    shelf.start()
    await shelf.clock.advance(20_000)
    assert shelf.due == [("early", 6_000), ("middle", 8_000), ("late", 10_000)]


async def test_long_wait_goes_over_smaller_tiers_and_ends_on_time(shelf: Shelf) -> None:
    """A wait of 45 s is 30 s, 10 s and 5 s; the rest is computed from the due time, so lateness does not add up."""
    shelf.log.append(("30s", 1), "a", NOW_MS + 30_000, NOW_MS + 45_000)
    shelf.start()
    await shelf.clock.advance(60_000)
    assert shelf.due == [("a", 45_000)]
    assert shelf.log.due[0].partition == 1
    assert [shelf.log.committable((tier, 1)) for tier in ("30s", "10s", "5s", "1m")] == [1, 1, 1, 0]


async def test_no_more_is_read_than_may_leave_soon(shelf: Shelf) -> None:
    """RULES 19: hold reads until the last one read is a look-ahead off, keeps what it read and never seeks back."""
    for number in range(100):
        at_ms = NOW_MS + 10_000 + number * 200
        shelf.log.append(("10s", 0), number, at_ms, at_ms)
    shelf.start()
    await shelf.clock.advance(5_000)
    assert shelf.hold.held()["10s", 0] == 10
    assert shelf.log.reads.count(("10s", 0)) == 1
    await shelf.clock.advance(30_000)
    assert shelf.due == [(number, 10_000 + number * 200) for number in range(100)]


async def test_crowded_partition_is_released_into_no_more(shelf: Shelf) -> None:
    """RULES 20: while deliver is far behind on a partition its records stay on the tier; the other partitions go on."""
    for partition in (0, 1):
        shelf.log.append(("5s", partition), partition, NOW_MS + 5_000, NOW_MS + 5_000)
    shelf.log.crowd.add(0)
    shelf.start()
    await shelf.clock.advance(10_000)
    assert shelf.due == [(1, 5_000)]
    shelf.log.crowd.clear()
    await shelf.clock.advance(ROUND_MS)
    assert [record for record, _ in shelf.due] == [1, 0]


async def test_crowded_partition_does_not_make_hold_spin(shelf: Shelf) -> None:
    """A record that is due and may not leave must not take the pause out of hold's rounds."""
    shelf.log.append(("5s", 0), "a", NOW_MS, NOW_MS)
    shelf.log.crowd.add(0)
    await shelf.hold.round()
    turn = asyncio.create_task(shelf.hold.round())
    await shelf.clock.settle()
    assert not turn.done()
    await shelf.clock.advance(ROUND_MS)
    assert turn.done()
    assert shelf.due == []


async def test_burst_is_released_in_rounds_without_pauses(shelf: Shelf) -> None:
    """More than one round's worth that is due at once leaves at once, in order."""
    shelf.log._most_at_once = 2_000
    for number in range(240):
        shelf.log.append(("5s", 0), number, NOW_MS, NOW_MS)
    for released in (100, 200, 240):
        turn = asyncio.create_task(shelf.hold.round())
        await shelf.clock.settle()
        if not turn.done():
            await shelf.clock.advance(ROUND_MS)
        await turn
        assert len(shelf.log.due) == released
    assert [record for record, _ in shelf.due] == list(range(240))


class SlowTierLog(MemoryTierLog):
    """Tiers whose broker takes its time to acknowledge."""

    def __init__(self, clock: VirtualClock, write_ms: float) -> None:
        super().__init__(clock, most_at_once=2_000)
        self._write_clock, self._write_ms = clock, write_ms

    async def write(self, relays: Sequence[Relay]) -> None:
        """Write on after a while."""
        await self._write_clock.sleep_ms(self._write_ms)
        await super().write(relays)


@pytest.mark.parametrize(("write_ms", "left_at_ms"), [(10, [10, 45, 80]), (60, [60, 145, 230])])
async def test_hold_rests_between_the_rounds_of_a_burst(write_ms: int, left_at_ms: list[int]) -> None:
    """25 ms after each: while thousands come back at once, others have a turn too."""
    clock = VirtualClock(NOW_MS)
    log = SlowTierLog(clock, write_ms)
    log.own([("5s", 0)])
    for number in range(240):
        log.append(("5s", 0), number, NOW_MS, NOW_MS)
    running = asyncio.create_task(Hold(log, clock, MemoryMeter(), DEFAULT_TIERS).run())
    for _ in range(300):
        await clock.advance(1)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    times_ms = [released.at_ms - NOW_MS for released in log.due]
    assert sorted(set(times_ms)) == left_at_ms
    assert [times_ms.count(at_ms) for at_ms in left_at_ms] == [100, 100, 40]


async def test_partitions_that_moved_away_are_forgotten(shelf: Shelf) -> None:
    """What was kept of a revoked partition is not released here; its next owner reads it again."""
    shelf.log.append(PLACE, "a", NOW_MS + MINUTE_MS, NOW_MS + MINUTE_MS)
    shelf.start()
    await shelf.clock.advance(1_000)
    shelf.log.own([])
    shelf.hold.forget([PLACE, ("5s", 7)])
    await shelf.clock.advance(MINUTE_MS)
    assert (shelf.due, PLACE in shelf.hold.held()) == ([], False)
    shelf.log.own([PLACE])
    await shelf.clock.advance(ROUND_MS)
    assert [record for record, _ in shelf.due] == ["a"]


async def test_write_that_fails_is_nobodys_release(shelf: Shelf) -> None:
    """A record is done only after its next place has acknowledged it; read again, it is released then."""
    shelf.log.append(("5s", 0), "a", NOW_MS, NOW_MS)
    shelf.log.fail(OSError("no broker"))
    turn = asyncio.create_task(shelf.hold.round())
    await shelf.clock.advance(ROUND_MS)
    with pytest.raises(OSError, match="no broker"):
        await turn
    assert (shelf.due, shelf.log.committable(("5s", 0))) == ([], 0)
    shelf.log.crash()
    shelf.hold.forget(shelf.log.places())
    shelf.start()
    await shelf.clock.advance(ROUND_MS)
    assert [record for record, _ in shelf.due] == ["a"]


async def test_owed_are_those_whose_time_has_come_and_that_may_leave(shelf: Shelf) -> None:
    """What still waits is no debt, nor what deliver is too far behind to take; and the partition read to its far end rests."""
    shelf.log.append(PLACE, "a", NOW_MS + MINUTE_MS, NOW_MS + MINUTE_MS)
    assert PLACE in shelf.hold.wanted()
    await shelf.hold.round()
    assert (shelf.hold.owed(), PLACE in shelf.hold.wanted()) == (0, False)
    await shelf.clock.advance(MINUTE_MS)
    assert shelf.hold.owed() == 1
    shelf.log.crowd.add(0)
    assert shelf.hold.owed() == 0
