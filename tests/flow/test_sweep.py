"""Forgetting entries of ended tasks: only when nothing can bring their records back (RULES 11)."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from streamer.core.command import Command, Verb
from streamer.core.entry import NO_PARTITION, Entry
from streamer.core.identity import task_digest
from streamer.core.lifecycle import State
from streamer.core.window import Window
from streamer.flow.sweep import KEEP_S, Barriers, Passed, overdue, sweep
from streamer.ports import Abandoned
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task

NOW_S = NOW_MS // 1000
EVER = float("inf")


def ended(updated_s: int = NOW_S - KEEP_S, partition: int = 0, offset: int = 7) -> Entry:
    return Entry(1, 1, 1, State.SUCCEEDED, 0, updated_s, updated_s, bytes(8), 1, partition, offset)


async def swept(desk: Desk, now_s: float, *, safe_before_s: float = EVER, committed: int = 100) -> int:
    return await sweep(desk.owned, Passed(now_s, safe_before_s, {0: committed}), desk.outbox, desk.deliver.release)


@pytest.mark.parametrize(
    ("entry", "safe_before_s", "committed", "may_go"),
    [
        (ended(), EVER, {0: 8}, True),
        (ended(NOW_S - KEEP_S + 1), EVER, {0: 8}, False),
        (ended(), NOW_S - KEEP_S, {0: 8}, False),
        (ended(), NOW_S - KEEP_S + 1, {0: 8}, True),
        (ended(), EVER, {0: 7}, False),
        (ended(), EVER, {1: 8}, False),
        (ended(), EVER, {}, False),
        (ended(partition=NO_PARTITION), EVER, {}, True),
    ],
    ids=[
        "all passed", "not an hour", "the barrier's second", "before the barrier", "its request not committed",
        "another partition committed", "nothing committed", "no request record",
    ],
)  # fmt: skip
def test_entry_may_go_when_nothing_is_left_to_guard(
    entry: Entry, safe_before_s: float, committed: dict[int, int], may_go: bool
) -> None:
    """RULES 11: an hour, and intake's committed offset past the request, and deliver's past the record."""
    assert Passed(NOW_S, safe_before_s, committed).may_forget(entry) is may_go


async def test_ended_entry_goes_after_its_tombstone(desk: Desk) -> None:
    """The tombstone is acknowledged before the table forgets; an open entry stays."""
    await desk.give(task(), task("open", due_at_ms=NOW_MS + 90 * MINUTE_MS))
    assert await swept(desk, NOW_S + KEEP_S - 1) == 0
    desk.outbox.block("log")
    sweeping = asyncio.create_task(swept(desk, NOW_S + KEEP_S))
    await desk.clock.settle()
    assert desk.outbox.changelog[-1] == (0, task_digest("tsk_1"), None)
    assert len(desk.table) == 2
    desk.outbox.unblock("log")
    assert await sweeping == 1
    assert [digest for digest, _ in desk.table.open()] == [task_digest("open")]
    assert (len(desk.table), desk.owned.busy) == (1, {})


async def test_task_in_hand_is_not_swept(desk: Desk) -> None:
    """A digest that is busy is passed over, since its settlement is about to write it."""
    await desk.give(task())
    desk.owned.busy[task_digest("tsk_1")] = None
    assert await swept(desk, NOW_S + KEEP_S) == 0
    desk.owned.busy.clear()
    assert await swept(desk, NOW_S + KEEP_S) == 1


async def test_command_that_comes_while_its_task_is_swept_waits_and_finds_it_gone(desk: Desk) -> None:
    """A sweep and a command cannot both decide on one entry."""
    await desk.give(task())
    desk.outbox.block("log")
    sweeping = asyncio.create_task(swept(desk, NOW_S + KEEP_S))
    await desk.clock.settle()
    cancel = Command("cmd_1", Verb.CANCEL, "tsk_1", "receiver.example", None, None, "ops", NOW_MS)
    await desk.give(cancel, source="control")
    assert len(desk.results) == 1
    desk.outbox.unblock("log")
    await sweeping
    await desk.clock.settle()
    assert desk.results[-1].because.reason == "not seen yet"
    assert (desk.entry().pre_entry, desk.unfinished, desk.owned.busy) == (True, 0, {})


async def test_sweep_whose_tombstones_are_not_acknowledged_forgets_nothing(desk: Desk) -> None:
    """An abandoned write leaves table and tasks as they were."""
    await desk.give(task())
    desk.outbox.fail("log", Abandoned())
    with pytest.raises(Abandoned):
        await swept(desk, NOW_S + KEEP_S)
    assert (desk.entry().state, desk.owned.busy) == (State.SUCCEEDED, {})


async def test_sweep_forgets_all_in_bounded_groups(desk: Desk) -> None:
    """However many have ended, one sweep forgets them, 1,000 tombstones at a time."""
    for number in range(2_500):
        desk.table.put(task_digest(str(number)), ended())
    desk.outbox.block("log")
    sweeping = asyncio.create_task(swept(desk, NOW_S))
    await desk.clock.settle()
    assert len(desk.outbox.changelog) == 1_000
    desk.outbox.unblock("log")
    assert await sweeping == 2_500
    assert (len(desk.table), desk.owned.busy) == (0, {})
    assert await swept(desk, NOW_S) == 0


async def test_recovered_table_has_forgotten_too(desk: Desk) -> None:
    """The tombstone in the changelog forgets for every later owner; the old record is then not current."""
    await desk.give(task())
    await swept(desk, NOW_S + KEEP_S)
    desk.commit()
    await desk.crash()
    await desk.give(task(seen=True), source="due")
    assert (len(desk.table), len(desk.sent)) == (0, 1)


def test_barrier_is_passed_when_every_topics_commit_has_passed_it() -> None:
    """RULES 11: what was handled before a barrier may be forgotten once no committed offset stands before it."""
    window = Window(0, 10, 1_000)
    barriers = Barriers({"deliveries": window, "due": Window(5, 10, 1_000)}, {"deliveries": 3, "due": 5}, now_s=100)
    barriers.move({"deliveries": 2, "due": 5}, now_s=200)
    assert barriers.safe_before_s == float("-inf")
    barriers.move({"deliveries": 3}, now_s=210)
    assert barriers.safe_before_s == float("-inf")
    for offset in range(4):
        window.take(offset, 1)
    barriers.move({"deliveries": 3, "due": 5}, now_s=220)
    assert barriers.safe_before_s == 100
    barriers.move({"deliveries": 3, "due": 5}, now_s=230)
    assert barriers.safe_before_s == 100
    barriers.move({"deliveries": 4, "due": 5}, now_s=240)
    assert barriers.safe_before_s == 220


async def test_open_entries_long_past_their_time_are_counted(desk: Desk) -> None:
    """RULES 2: the detector of lost tasks counts what is open more than ten minutes after its due time."""
    await desk.give(task("open", due_at_ms=NOW_MS + MINUTE_MS), task("ended"))
    assert await overdue(desk.owned, NOW_S + 60 + 600) == 0
    assert await overdue(desk.owned, NOW_S + 60 + 601) == 1


async def test_counting_lets_others_have_their_turn(desk: Desk) -> None:
    """A hundred thousand open entries are counted in slices: what becomes ready meanwhile runs, and may change the table."""
    for number in range(25_000):
        desk.table.put(task_digest(str(number)), replace(ended(), state=State.SCHEDULED))
    counting = asyncio.create_task(overdue(desk.owned, NOW_S + 601))
    await asyncio.sleep(0)
    assert not counting.done()
    desk.table.forget(task_digest("24999"))
    assert await counting == 25_000
