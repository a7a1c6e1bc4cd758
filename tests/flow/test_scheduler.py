"""Recurring schedules in virtual time: fired on the instant, once, over changes, restarts, lost leases and other owners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.memory.outbox import Trouble
from streamer.core.emit import Firing
from streamer.core.lifecycle import State
from streamer.core.partitioning import partition_of
from streamer.core.schedule import GRACE_MS, UNSEEN_MS, Cursor, Misfire, Overlap
from streamer.flow.scheduler import KEEP_MS, ROUND_MS, WRITE_AT_ONCE
from streamer.ports import Abandoned
from tests.flow.shop import HOUR_MS, MINUTE_MS, OURS, PARTITIONS, SECOND_MS, START_MS, Ground, Shop

ELSEWHERE = next(lane for lane in ("a.example", "b.example", "c.example") if partition_of(lane, PARTITIONS) != OURS)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    yield shop
    await shop.stop()


def seconds(*numbers: int) -> list[int]:
    """Return instants, in ms since the start."""
    return [number * SECOND_MS for number in numbers]


async def test_each_instant_is_fired_at_once_and_never_early(shop: Shop) -> None:
    """One ms before the instant nothing is written, at the instant the firing is, with the schedule's request."""
    schedule = shop.put(every_ms=10 * SECOND_MS)
    await shop.clock.advance(10 * SECOND_MS - 1)
    assert shop.fired == []
    await shop.clock.advance(1)
    assert shop.outbox.of(Firing) == [Firing("report", START_MS + 10 * SECOND_MS, schedule.template)]
    await shop.clock.advance(20 * SECOND_MS)
    assert shop.fired == seconds(10, 20, 30)
    assert shop.meter.counted("schedules_fired") == 3
    assert shop.meter.observed("firing_lateness_seconds") == [0, 0, 0]


async def test_a_cron_expression_is_fired_in_its_time_zone(shop: Shop) -> None:
    """2027-01-15 08:00 UTC is 09:00 in Zurich."""
    shop.put(cron="30 9 * * *", time_zone="Europe/Zurich")
    await shop.clock.settle()
    await shop.away(29 * MINUTE_MS)
    assert shop.fired == []
    await shop.clock.advance(MINUTE_MS)
    assert shop.fired == [30 * MINUTE_MS]


async def test_a_burst_is_fired_whole(shop: Shop) -> None:
    """A thousand schedules with one instant are written in groups, each once."""
    for number in range(1_000):
        shop.put(f"s{number}", every_ms=MINUTE_MS)
    writes: list[int] = []

    def counted(kind: str, items: Sequence[Any]) -> None:
        writes.append(sum(isinstance(item, Firing) for item in items))

    shop.outbox.trouble = counted
    await shop.clock.advance(MINUTE_MS)
    names = [firing.schedule for firing in shop.outbox.of(Firing)]
    assert len(names) == len(set(names)) == 1_000
    assert max(writes) == WRITE_AT_ONCE


async def test_a_schedule_of_another_partition_is_left_to_its_owner(shop: Shop) -> None:
    """Who owns the target's partition fires, nobody else; and does so from when it is given the partition."""
    shop.put(lane=ELSEWHERE)
    await shop.clock.advance(3 * SECOND_MS)
    assert shop.fired == []
    for number in range(PARTITIONS):
        shop.places.setdefault(number, Ground(shop.lease))
    await shop.clock.advance(ROUND_MS)
    assert shop.fired == seconds(1, 2, 3)


async def test_a_partition_that_left_is_not_fired_for(shop: Shop) -> None:
    """Nor is anything kept of it: its new owner says how far it came."""
    shop.put()
    await shop.clock.advance(2 * SECOND_MS)
    shop.places.clear()
    kept = len(shop.outbox.of(Cursor))
    await shop.clock.advance(2 * KEEP_MS)
    assert shop.fired == seconds(1, 2)
    assert len(shop.outbox.of(Cursor)) == kept


async def test_a_new_owner_goes_on_where_the_last_one_stopped(shop: Shop) -> None:
    """What the other fired in the meantime is not fired again."""
    schedule = shop.put()
    await shop.clock.advance(2 * SECOND_MS)
    shop.places = {}
    await shop.clock.advance(4 * SECOND_MS)
    shop.book.note(Cursor("report", schedule.timing, START_MS + 5 * SECOND_MS))
    shop.places = {OURS: Ground(shop.lease)}
    await shop.clock.advance(SECOND_MS)
    assert shop.fired == seconds(1, 2, 6, 7)


async def test_what_another_owner_told_counts_also_without_a_round_in_between(shop: Shop) -> None:
    """A partition may leave and come back between two rounds; the farther cursor holds."""
    schedule = shop.put()
    await shop.clock.advance(2 * SECOND_MS)
    shop.book.note(Cursor("report", schedule.timing, START_MS + 5 * SECOND_MS))
    shop.places = {OURS: Ground(shop.lease)}
    await shop.clock.advance(4 * SECOND_MS)
    assert shop.fired == seconds(1, 2, 6)


async def test_a_change_touches_no_other_schedule(shop: Shop) -> None:
    """The others go on, those too that have no instant left."""
    shop.put("tick")
    shop.put("ended", ends_at_ms=START_MS + SECOND_MS)
    await shop.clock.advance(1_500)
    shop.put("new", every_ms=HOUR_MS)
    await shop.clock.advance(SECOND_MS)
    assert [(firing.schedule, firing.instant_ms - START_MS) for firing in shop.outbox.of(Firing)] == [
        ("tick", 1_000),
        ("ended", 1_000),
        ("tick", 2_000),
    ]


async def test_a_changed_schedule_holds_within_a_round(shop: Shop) -> None:
    """A paused one fires no more, a resumed one not what its pause passed over, a removed one nothing."""
    shop.put()
    await shop.clock.advance(1_500)
    shop.change(paused=True)
    await shop.clock.advance(10 * SECOND_MS)
    assert shop.fired == seconds(1)
    shop.change(paused=False)
    await shop.clock.advance(SECOND_MS)
    assert shop.fired == seconds(1, 12)
    shop.book.remove("report")
    await shop.clock.advance(10 * SECOND_MS)
    assert shop.fired == seconds(1, 12)


async def test_a_pause_is_remembered_over_a_restart(shop: Shop) -> None:
    """Resumed while no worker runs, what the pause passed over is no misfire."""
    shop.put(misfire=Misfire.ALL)
    await shop.clock.advance(1_500)
    shop.change(paused=True)
    await shop.clock.advance(KEEP_MS)
    await shop.kill()
    await shop.clock.advance(HOUR_MS)
    shop.change(paused=False)
    await shop.away(1_200)
    assert shop.fired == [SECOND_MS, HOUR_MS + KEEP_MS + 2 * SECOND_MS]


async def test_another_request_takes_effect_and_misses_nothing(shop: Shop) -> None:
    """A schedule whose timing is the same goes on, with its new request."""
    shop.put()
    await shop.clock.advance(1_900)
    shop.change(template=b"{}")
    await shop.clock.advance(SECOND_MS)
    assert [(firing.instant_ms - START_MS, firing.template) for firing in shop.outbox.of(Firing)][1:] == [
        (2_000, b"{}")
    ]


@pytest.mark.parametrize("state", [State.PENDING, State.SCHEDULED, State.RETRYING])
async def test_an_overlap_is_passed_over(shop: Shop, state: State) -> None:
    """While the task before has not ended its schedule rests, and goes on with the first instant after the end."""
    shop.put(overlap=Overlap.SKIP)
    await shop.clock.advance(SECOND_MS)
    shop.task(SECOND_MS, state)
    await shop.clock.advance(3 * SECOND_MS)
    assert shop.fired == seconds(1)
    assert shop.meter.counted("instants_overlapped") == 3
    shop.task(SECOND_MS, State.FAILED)
    await shop.clock.advance(SECOND_MS)
    assert shop.fired == seconds(1, 5)


async def test_a_task_that_is_not_seen_yet_overlaps(shop: Shop) -> None:
    """What was fired and is not in the table is on its way; after an hour it has ended and was forgotten."""
    shop.put(every_ms=30 * MINUTE_MS, overlap=Overlap.SKIP)
    await shop.clock.settle()
    for _ in range(UNSEEN_MS // (30 * MINUTE_MS) + 1):
        await shop.away(30 * MINUTE_MS)
    assert shop.fired == [30 * MINUTE_MS, 30 * MINUTE_MS + UNSEEN_MS]


async def test_a_task_in_another_shard_overlaps(shop: Shop) -> None:
    """A lane with shards has its tasks in several partitions; those that are ours are looked at."""
    other = (OURS + 1) % PARTITIONS
    shop.places[other] = Ground(shop.lease)
    shop.put(overlap=Overlap.SKIP)
    await shop.clock.advance(SECOND_MS)
    shop.task(SECOND_MS, State.SUCCEEDED, place=other)
    await shop.clock.advance(SECOND_MS)
    assert shop.fired == seconds(1, 2)


async def test_an_overlap_is_known_over_a_restart(shop: Shop) -> None:
    """The last task fired is written down with the cursor."""
    shop.put(every_ms=10 * SECOND_MS, overlap=Overlap.SKIP)
    await shop.clock.advance(10 * SECOND_MS)
    await shop.stop()
    shop.start()
    shop.task(10 * SECOND_MS, State.RETRYING)
    await shop.clock.advance(30 * SECOND_MS)
    assert shop.fired == seconds(10)


async def test_a_stopped_worker_fires_nothing_twice(shop: Shop) -> None:
    """On its way out it writes down how far each schedule has come."""
    shop.put()
    await shop.clock.advance(2 * SECOND_MS + 1)
    await shop.stop()
    shop.start()
    await shop.clock.advance(SECOND_MS)
    assert shop.fired == seconds(1, 2, 3)


async def test_a_killed_worker_fires_the_same_ids_again(shop: Shop) -> None:
    """What it had not written down comes again, of the same instants, and nothing is left out."""
    shop.put()
    await shop.clock.advance(KEEP_MS + 3 * SECOND_MS)
    await shop.kill()
    await shop.clock.advance(3_500)
    shop.start()
    await shop.clock.advance(500)
    assert sorted(set(shop.fired)) == seconds(*range(1, 13))
    assert len(shop.fired) - len(set(shop.fired)) <= KEEP_MS // SECOND_MS


@pytest.mark.parametrize(("misfire", "expected"), [(Misfire.SKIP, []), (Misfire.ONCE, [3]), (Misfire.ALL, [1, 2, 3])])
async def test_a_misfire_follows_the_rule(shop: Shop, misfire: Misfire, expected: list[int]) -> None:
    """After three hours away, hourly instants are left out, made up for once, or fired all; it is counted."""
    shop.put(every_ms=HOUR_MS, misfire=misfire)
    await shop.clock.settle()
    await shop.away(3 * HOUR_MS + GRACE_MS + 1)
    await shop.away(1)
    assert shop.fired == [hour * HOUR_MS for hour in expected]
    assert shop.meter.counted("schedules_misfired", misfire.value) == 1


async def test_without_the_lease_nothing_is_written(shop: Shop) -> None:
    """Once it is back, what came due meanwhile is fired."""
    shop.put()
    await shop.clock.advance(1_100)
    shop.lease.lose()
    await shop.clock.advance(3 * SECOND_MS)
    assert shop.fired == seconds(1)
    # Nor does it turn round without a pause for what it may not fire.
    assert await shop.scheduler.round() >= ROUND_MS // 2
    shop.lease.renew()
    await shop.clock.advance(ROUND_MS)
    assert shop.fired == seconds(1, 2, 3, 4)


async def test_an_abandoned_write_is_made_again(shop: Shop) -> None:
    """A write that was given up moves no cursor: the instants stay due."""
    for number in range(3):
        shop.put(f"s{number}")
    await shop.clock.advance(ROUND_MS)
    shop.outbox.fail("publish", Abandoned(), landed=1)
    await shop.clock.advance(SECOND_MS)
    assert sorted(firing.schedule for firing in shop.outbox.of(Firing)) == ["s0", "s0", "s1", "s2"]


async def test_one_schedule_that_fails_holds_up_no_other(shop: Shop) -> None:
    """A write that fails is made schedule by schedule; the bad one is tried again, and counted as a fault."""

    def refuse(kind: str, items: Sequence[Any]) -> Trouble | None:
        bad = any(isinstance(item, Firing) and item.schedule == "bad" for item in items)
        return Trouble(ValueError("too large")) if bad else None

    shop.outbox.trouble = refuse
    shop.put("good")
    shop.put("bad")
    await shop.clock.advance(2 * SECOND_MS)
    assert shop.fired == seconds(1, 2)
    assert shop.meter.counted("faults") == 1
    shop.outbox.trouble = lambda kind, items: None
    await shop.clock.advance(5 * SECOND_MS)
    assert sorted(shop.fired) == sorted(seconds(1, 2, 3, 4, 5, 6, 7) * 2)


class BrokenCalendar:
    """Stands for a bug in the calendar."""

    def next_after(self, cron: str, time_zone: str, after_ms: int) -> int | None:
        """Fail."""
        raise ZeroDivisionError

    def check_cron(self, cron: str) -> None:
        """Take everything."""

    def check_zone(self, time_zone: str) -> None:
        """Take everything."""


async def test_a_bug_in_the_calendar_stops_only_its_schedule() -> None:
    """The others go on, and the worker runs."""
    shop = Shop(BrokenCalendar())
    shop.put("good")
    shop.put("bad", cron="* * * * *")
    await shop.clock.advance(2 * SECOND_MS)
    assert shop.fired == seconds(1, 2)
    assert shop.meter.counted("faults") == 1
    await shop.stop()


async def test_cursors_are_written_now_and_then(shop: Shop) -> None:
    """A schedule that fires every second costs one record in five seconds; one that rests costs none."""
    shop.put()
    shop.put("rare", every_ms=24 * HOUR_MS)
    await shop.clock.advance(MINUTE_MS)
    names = [cursor.schedule for cursor in shop.outbox.of(Cursor)]
    assert names.count("rare") == 1
    assert MINUTE_MS // KEEP_MS <= names.count("report") <= MINUTE_MS // KEEP_MS + 1


steps = st.lists(
    st.tuples(st.integers(1, 20_000), st.sampled_from(["go on", "kill", "stop", "lose", "abandon"])), max_size=12
)


@given(st.sampled_from([1_000, 1_700, 7_000]), steps)
def test_no_instant_is_missed_or_doubled(every_ms: int, steps: list[tuple[int, str]]) -> None:
    """Over kills, stops, lost leases and writes that were given up, each instant's task is there once, in time."""
    fired, end_ms = asyncio.run(_live(every_ms, steps))
    first_ms = (START_MS // every_ms + 1) * every_ms
    assert sorted(set(fired)) == [at_ms - START_MS for at_ms in range(first_ms, START_MS + end_ms + 1, every_ms)]


async def _live(every_ms: int, steps: list[tuple[int, str]]) -> tuple[list[int], int]:
    shop = Shop()
    shop.put(every_ms=every_ms)
    for wait_ms, what in steps:
        await shop.clock.advance(wait_ms)
        if what in ("kill", "stop"):
            await (shop.kill() if what == "kill" else shop.stop())
            await shop.away(wait_ms)
        elif what == "lose":
            shop.lease.lose()
            await shop.clock.advance(wait_ms)
            shop.lease.renew()
        elif what == "abandon":
            shop.outbox.fail("publish", Abandoned(), landed=1)
        assert all(START_MS + instant_ms <= shop.clock.now_ms() for instant_ms in shop.fired)
    await shop.clock.advance(2 * ROUND_MS)
    await shop.stop()
    return shop.fired, shop.clock.now_ms() - START_MS
