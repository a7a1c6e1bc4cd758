"""Seen records without an entry, beside first records that are not done yet (RULES 1, 4)."""

from __future__ import annotations

import pytest

from streamer.core.emit import Due
from streamer.core.lifecycle import State
from streamer.ports import Change
from tests.flow.desk import SOURCES, Desk, task


@pytest.fixture
async def late(desk: Desk) -> list[Change]:
    """A retry was published, and its worker died; return what it was about to write, which has not landed."""
    desk.answer(500, 200)
    desk.outbox.block("log")
    await desk.give(task(retry_ms=(0,)))
    late = list(desk.outbox.changelog)
    desk.outbox.changelog.clear()
    await desk.stop()
    desk.outbox.unblock("log")
    desk.start()
    [retry] = desk.outbox.of(Due)
    await desk.give(retry.delivery, source="due")
    return late


@pytest.mark.usefixtures("late")
async def test_an_orphan_is_kept_until_the_first_record_is_done(desk: Desk) -> None:
    """It is neither sent nor finished, however long that takes, and then it is judged by the entry that there is."""
    await desk.clock.advance(60_000)
    assert (desk.sent, desk.windows["due"].unfinished) == ([("tsk_1", 1)], 1)
    desk.answer(400)
    desk.read("deliveries")
    await desk.clock.settle()
    await desk.clock.advance(100)
    assert (desk.sent, desk.unfinished) == ([("tsk_1", 1), ("tsk_1", 1)], 0)
    assert desk.entry().state is State.FAILED


async def test_an_entry_that_lands_after_two_changes_of_owner_loses_no_task(desk: Desk, late: list[Change]) -> None:
    """The owner between them has committed nothing of the retry, which goes on where the entry says so."""
    desk.commit()
    await desk.stop()
    desk.outbox.changelog.extend(late)
    desk.start()
    for source in SOURCES:
        desk.read(source)
    await desk.clock.settle()
    assert desk.sent == [("tsk_1", 1), ("tsk_1", 2)]
    assert (desk.entry().state, desk.unfinished) == (State.SUCCEEDED, 0)


@pytest.mark.usefixtures("late")
async def test_a_partition_that_is_given_up_forgets_its_orphans(desk: Desk) -> None:
    """Their offsets are the next owner's."""
    await desk.stop()
    assert (desk.owned.orphans, desk.owned.tasks) == ([], set())
    await desk.clock.advance(1_000)
    assert desk.windows["due"].committable == 0
