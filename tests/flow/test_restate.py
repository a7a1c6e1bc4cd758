"""What a stopped owner wrote late is overwritten by what holds, before compaction would keep it alone (RULES 4)."""

from __future__ import annotations

import asyncio

import pytest

from streamer.core.entry import Entry
from streamer.core.identity import task_digest
from streamer.core.lifecycle import State
from streamer.flow.restate import restate
from streamer.ports import Abandoned
from tests.core.samples import NOW_MS
from tests.flow.desk import Desk, task

NOW_S = NOW_MS // 1000
KNOWN, UNKNOWN = task_digest("known"), task_digest("unknown")


@pytest.fixture
def outranked(desk: Desk) -> Desk:
    """Return a desk whose table knows one of two tasks that a stopped owner has written of late."""
    desk.table.put(KNOWN, Entry(1, 0, 1, State.CANCELLED, 0, NOW_S, NOW_S, bytes(8), 1, 0, 7))
    desk.table.outranked |= {KNOWN, UNKNOWN}
    return desk


async def again(desk: Desk) -> int:
    return await restate(desk.owned, desk.outbox, desk.deliver.release)


async def test_what_holds_is_written_again_under_this_owners_epoch(outranked: Desk) -> None:
    """An entry as it is, and a tombstone where there is none; once."""
    assert await again(outranked) == 2
    written = {key: value for _, key, value in outranked.outbox.changelog}
    entry = outranked.table.get(KNOWN)
    assert entry is not None
    assert (entry.state, entry.epoch) == (State.CANCELLED, outranked.owned.epoch)
    assert written == {KNOWN: entry, UNKNOWN: None}
    assert (outranked.table.outranked, outranked.owned.busy) == (set(), {})
    assert await again(outranked) == 0


async def test_a_task_in_hand_is_left_for_the_next_time(outranked: Desk) -> None:
    """Its own write may land at any moment; one that was written before it would stand behind it."""
    outranked.owned.busy[KNOWN] = None
    assert await again(outranked) == 1
    assert outranked.table.outranked == {KNOWN}
    outranked.owned.busy.clear()
    assert await again(outranked) == 1


async def test_a_record_that_comes_meanwhile_waits(outranked: Desk) -> None:
    """It is judged by what has been written again."""
    outranked.table.outranked.add(task_digest("tsk_1"))
    outranked.outbox.block("log")
    writing = asyncio.create_task(again(outranked))
    await outranked.clock.settle()
    await outranked.give(task())
    assert outranked.sender.sent == []
    outranked.outbox.unblock("log")
    assert await writing == 3
    await outranked.clock.settle()
    assert len(outranked.sender.sent) == 1


async def test_nothing_is_written_without_the_right_to(outranked: Desk) -> None:
    """Who was outrun by a successor is a stopped owner itself."""
    outranked.owned.open = False
    assert await again(outranked) == 0
    assert outranked.outbox.changelog == []


async def test_what_was_not_acknowledged_is_written_again_later(outranked: Desk) -> None:
    """An abandoned write leaves it to the next time, or to the next owner."""
    outranked.outbox.fail("log", Abandoned())
    with pytest.raises(Abandoned):
        await again(outranked)
    assert (outranked.table.outranked, outranked.owned.busy) == ({KNOWN, UNKNOWN}, {})
