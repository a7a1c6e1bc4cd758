"""After an unclean exit the unfinished span runs one record at a time, until the record that kills is found (RULES 14)."""

from __future__ import annotations

from streamer.adapters.memory.sender import Reply
from streamer.core.command import Command, Verb
from streamer.core.delivery import Why
from streamer.core.lifecycle import State
from tests.core.samples import NOW_MS
from tests.flow.desk import Desk, task

TWELVE_HOURS_MS = 12 * 3_600_000


async def die(desk: Desk) -> None:
    """Let the process die without a word, and start it again."""
    desk.marker.die()
    await desk.crash()


def slow(desk: Desk) -> None:
    desk.respond = lambda _: Reply(delay_ms=1_000)


async def test_span_runs_one_by_one_and_what_is_new_runs_beside_it(desk: Desk) -> None:
    """RULES 14: of what was in hand at the death one record runs at a time; new records do not wait for them."""
    slow(desk)
    await desk.give(*[task(f"tsk_{number}") for number in range(3)])
    assert desk.sender.in_flight == 3
    desk.sender.sent.clear()
    await die(desk)
    await desk.give(task("new"))
    assert {sent.delivery.task_id for sent in desk.sender.sent} == {"tsk_0", "new"}
    await desk.clock.advance(3_000)
    assert [sent.delivery.task_id for sent in desk.sender.sent] == ["tsk_0", "new", "tsk_1", "tsk_2"]
    assert desk.unfinished == 0


async def test_clean_stop_leaves_nothing_to_be_careful_about(desk: Desk) -> None:
    """After a clean stop everything runs side by side."""
    slow(desk)
    await desk.give(*[task(f"tsk_{number}") for number in range(3)])
    desk.marker.stop()
    await desk.crash()
    assert desk.sender.in_flight == 3


async def test_record_that_was_alone_at_two_deaths_is_parked(desk: Desk) -> None:
    """RULES 14: such a record waits twelve hours, alarmed and told, and uses up no attempt; the span goes on."""
    slow(desk)
    await desk.give(task("killer"), task("behind"))
    await die(desk)
    await die(desk)
    await die(desk)
    await desk.clock.advance(2_000)
    [held] = desk.held
    assert (held.delivery.task_id, held.delivery.why, held.delivery.attempt) == ("killer", Why.PARKED, 1)
    assert held.delivery.due_at_ms == NOW_MS + TWELVE_HOURS_MS
    assert desk.meter.counted("records_parked") == 1
    assert desk.entry("behind").state is State.SUCCEEDED
    assert desk.entry("killer").due_s == held.delivery.due_at_ms // 1000
    assert desk.unfinished == 0


async def test_record_alone_at_one_death_gets_another_chance(desk: Desk) -> None:
    """RULES 14: one death may have had another cause."""
    slow(desk)
    await desk.give(task())
    await die(desk)
    await die(desk)
    await desk.clock.advance(1_000)
    assert (desk.held, desk.entry().state) == ([], State.SUCCEEDED)


async def test_task_that_had_ended_when_the_process_died_is_not_parked(desk: Desk) -> None:
    """An end that was written before the deaths stays: a parked copy of its record would be sent after the end."""
    await desk.give(task())
    desk.marker.begin("deliveries", 0, 0)
    desk.marker.die()
    desk.marker.begin("deliveries", 0, 0)
    await die(desk)
    assert (desk.held, desk.entry().state, desk.unfinished) == ([], State.SUCCEEDED, 0)


async def test_record_to_be_parked_waits_for_another_one_of_its_task(desk: Desk) -> None:
    """Two records of one task are judged one after the other, parked or not, and both are finished."""
    slow(desk)
    await desk.give(task())
    await die(desk)
    await die(desk)
    desk.marker.die()
    await desk.stop()
    desk.start()
    await desk.give(task(), source="due")
    desk.read("deliveries")
    await desk.clock.advance(1_000)
    assert (desk.held, desk.entry().state, desk.unfinished) == ([], State.SUCCEEDED, 0)


async def test_command_is_never_parked(desk: Desk) -> None:
    """A command has nobody to wait for it: it runs even after two deaths."""
    cancel = Command("cmd_1", Verb.CANCEL, "tsk_1", "receiver.example", None, None, "ops", NOW_MS)
    await desk.give(cancel, source="control")
    desk.marker.begin("control", 0, 0)
    desk.marker.die()
    desk.marker.begin("control", 0, 0)
    await die(desk)
    assert (desk.unfinished, desk.meter.counted("records_parked")) == (0, 0)
