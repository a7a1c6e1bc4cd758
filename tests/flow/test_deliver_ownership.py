"""Losing a partition: leases, revokes, drains, and what comes late."""

from __future__ import annotations

import asyncio

import pytest

from streamer.adapters.memory.sender import Reply
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.core.entry import Entry
from streamer.core.identity import task_digest
from streamer.core.lane_book import LaneBook
from streamer.core.lifecycle import State
from streamer.core.window import HoleError, Window
from streamer.flow.owned import Batch, Owned
from streamer.flow.steps import with_epoch
from streamer.ports import Abandoned
from tests.core.samples import NOW_MS
from tests.flow.desk import Desk, task


def written(desk: Desk) -> tuple[int, int, int]:
    """Count the emits, the changes and the records in hand."""
    return len(desk.outbox.published), len(desk.outbox.changelog), desk.unfinished


async def test_nothing_is_sent_without_the_lease(desk: Desk) -> None:
    """RULES 4: a task that reaches its turn after the lease was lost stays with its unfinished offset."""
    desk.lease.lose()
    await desk.give(task())
    assert (desk.sent, written(desk)) == ([], (0, 0, 1))


async def test_lease_lost_while_waiting_for_the_due_time_means_no_call(desk: Desk) -> None:
    """RULES 4: the lease is asked right before the call, not when the task was taken in hand."""
    await desk.give(task(due_at_ms=NOW_MS + 50))
    desk.lease.lose()
    await desk.clock.advance(50)
    assert (desk.sent, desk.unfinished) == ([], 1)


async def test_answer_that_comes_after_the_lease_was_lost_writes_nothing(desk: Desk) -> None:
    """RULES 4: the right to write is asked again when the answer is there."""
    desk.respond = lambda _: Reply(delay_ms=1_000)
    await desk.give(task())
    desk.lease.lose()
    await desk.clock.advance(1_000)
    assert (len(desk.sent), written(desk)) == (1, (0, 0, 1))


async def test_answer_that_comes_after_the_partition_was_given_up_writes_nothing(desk: Desk) -> None:
    """RULES 4: a revoked partition's calls are cancelled, those that waited are never made."""
    desk.respond = lambda _: Reply(delay_ms=1_000)
    await desk.give(*[task(f"tsk_{number}") for number in range(30)])
    desk.deliver.give_up(desk.owned)
    await desk.clock.advance(5_000)
    assert (len(desk.sent), written(desk)) == (20, (0, 0, 30))
    assert (desk.sender.in_flight, desk.owned.tasks, desk.owned.busy) == (0, set(), {})


async def test_settlement_that_waits_for_the_broker_while_the_partition_goes_is_not_finished(desk: Desk) -> None:
    """An acknowledgement after the revoke finishes no offset, and starts nothing that waited for it."""
    desk.outbox.block("publish")
    await desk.give(task(), task())
    desk.deliver.give_up(desk.owned)
    desk.outbox.unblock("publish")
    await desk.clock.settle()
    assert (desk.unfinished, len(desk.sent)) == (2, 1)


async def test_entry_that_is_acknowledged_late_is_kept_unless_it_is_older(desk: Desk) -> None:
    """RULES 4: what reached the changelog stands in the table too, but never over what its next owner wrote."""
    desk.outbox.block("log")
    await desk.give(task("mine"), task("theirs"))
    desk.deliver.give_up(desk.owned)
    theirs = next(change[2] for change in desk.outbox.changelog if change[1] == task_digest("theirs"))
    assert isinstance(theirs, Entry)
    desk.table.put(task_digest("theirs"), with_epoch(theirs, 2))
    desk.outbox.unblock("log")
    await desk.clock.settle()
    assert (desk.entry("mine").state, desk.entry("mine").epoch) == (State.SUCCEEDED, 1)
    assert desk.entry("theirs").epoch == 2


async def test_abandoned_write_is_left_to_the_next_owner(desk: Desk) -> None:
    """RULES 4: when the outbox was aborted nothing is tried again here, and the offset stays unfinished."""
    desk.outbox.fail("publish", Abandoned())
    await desk.give(task())
    await desk.clock.advance(60_000)
    assert ([*desk.results, *desk.changelog_of_tasks], desk.unfinished, desk.meter.counted("faults")) == ([], 1, 0)
    await desk.crash()
    assert (desk.entry().state, desk.unfinished, len(desk.sent)) == (State.SUCCEEDED, 0, 2)


async def test_partition_given_up_before_its_tasks_ran_gives_their_places_back(desk: Desk) -> None:
    """Tasks cancelled before their first step count as ended too, else every later drain would take its whole deadline."""
    for number in range(40):
        desk.logs["deliveries"].append(task(f"tsk_{number}"))
    desk.read("deliveries")
    desk.deliver.give_up(desk.owned)
    await desk.clock.settle()
    assert await desk.deliver.drain(200)
    desk.deliver.resume()
    desk.owned = Owned(1, 2, desk.table, ClaimsOnDisk(":memory:"), LaneBook(), desk.lease)
    window = Window(0, 100, 1 << 20)
    batch = [(number, 100, task(f"new_{number}")) for number in range(20)]
    desk.deliver.accept(Batch("deliveries", 1, window, list(batch)), desk.owned)
    await desk.clock.settle()
    assert (len(desk.sent), window.drained) == (20, True)


async def test_other_partition_goes_on_when_one_is_given_up(desk: Desk) -> None:
    """Lanes of two partitions share a worker, not a fate."""
    desk.respond = lambda _: Reply(delay_ms=1_000)
    other = Owned(1, 1, desk.table, ClaimsOnDisk(":memory:"), LaneBook(), desk.lease)
    window = Window(0, 100, 1 << 20)
    await desk.give(*[task(f"tsk_{number}") for number in range(25)])
    desk.deliver.accept(Batch("deliveries", 1, window, [(0, 100, task("other"))]), other)
    desk.deliver.give_up(desk.owned)
    await desk.clock.advance(1_000)
    assert (window.drained, desk.entry("other").state) == (True, State.SUCCEEDED)


async def test_drain_waits_for_the_calls_on_the_wire_and_starts_no_other(desk: Desk) -> None:
    """RULES 10: what is on the wire settles within the drain, what waits for its turn belongs to the next owner."""
    desk.respond = lambda _: Reply(delay_ms=1_000)
    await desk.give(*[task(f"tsk_{number}") for number in range(25)])
    draining = asyncio.create_task(desk.deliver.drain(5_000))
    await desk.clock.advance(1_000)
    assert await draining
    assert (len(desk.sent), desk.unfinished) == (20, 5)
    await desk.give(task("new"))
    assert (len(desk.sent), desk.unfinished) == (20, 6)


async def test_drain_gives_up_at_its_deadline(desk: Desk) -> None:
    """RULES 10: a call that outlasts the drain does not hold up the rebalance."""
    desk.respond = lambda _: Reply(delay_ms=60_000)
    await desk.give(task())
    assert not await desk.deliver.drain(20)
    assert desk.unfinished == 1


async def test_drain_waits_for_the_acknowledgements_too(desk: Desk) -> None:
    """RULES 10: an attempt that is over but not written would be sent again, so the drain waits for the write."""
    desk.outbox.block("log")
    await desk.give(task())
    assert not await desk.deliver.drain(20)
    desk.outbox.unblock("log")
    assert await desk.deliver.drain(5_000)
    assert desk.unfinished == 0


async def test_drain_of_nothing_is_done_at_once(desk: Desk) -> None:
    """A worker without work leaves at once; after resume it takes work again."""
    assert await desk.deliver.drain(5_000)
    desk.deliver.resume()
    await desk.give(task())
    assert desk.entry().state is State.SUCCEEDED


async def test_batch_behind_a_hole_is_refused_and_nothing_of_it_runs(desk: Desk) -> None:
    """RULES 3: a hole between two batches is a fault for the reader to mend; a batch read twice is handed out once."""
    window = desk.windows["deliveries"]
    with pytest.raises(HoleError):
        desk.deliver.accept(Batch("deliveries", 0, window, [(3, 100, task())]), desk.owned)
    desk.deliver.accept(Batch("deliveries", 0, window, [(0, 100, task())]), desk.owned)
    desk.deliver.accept(Batch("deliveries", 0, window, [(0, 100, task()), (1, 100, task("tsk_2"))]), desk.owned)
    desk.deliver.accept(Batch("deliveries", 0, window, []), desk.owned)
    await desk.clock.settle()
    assert desk.sent == [("tsk_1", 1), ("tsk_2", 1)]
