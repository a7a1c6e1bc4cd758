"""Commands: cancel, update, run now, retry and replay as deliver carries them out."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.adapters.memory.sender import Reply
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.core.emit import Due, Held
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task

LATER_MS = NOW_MS + 90 * MINUTE_MS


def command(
    verb: Verb, generation: int | None = 1, delivery: Delivery | None = None, *, force: bool = False
) -> Command:
    return Command("cmd_1", verb, "tsk_1", "receiver.example", generation, delivery, "ops", NOW_MS, force)


async def test_cancel_ends_a_waiting_task_and_its_record_is_dropped(desk: Desk) -> None:
    """RULES 8: after a confirmed cancel nothing is sent, wherever the task waits."""
    await desk.give(task(due_at_ms=LATER_MS))
    await desk.give(command(Verb.CANCEL, None), source="control")
    answer = desk.results[-1]
    assert (answer.outcome, answer.final, answer.command_id) == (Outcome.CANCELLED, True, "cmd_1")
    assert "ops" in (answer.because.detail or "")
    await desk.come_back()
    assert (desk.sent, desk.entry().state, desk.unfinished) == ([], State.CANCELLED, 0)


async def test_command_for_a_task_in_flight_waits_for_the_end_of_its_attempt(desk: Desk) -> None:
    """RULES 25: the attempt's end comes first; a cancel that comes too late is a conflict, never two ends."""
    desk.respond = lambda _: Reply(delay_ms=1_000)
    await desk.give(task())
    await desk.give(command(Verb.CANCEL), source="control")
    assert desk.results == []
    await desk.clock.advance(1_000)
    assert [(result.outcome, result.final) for result in desk.results] == [
        (Outcome.SUCCESS, True),
        (Outcome.CONTROL, False),
    ]
    assert (desk.results[1].because.reason, desk.results[1].because.detail) == ("conflict", "task has ended: succeeded")
    assert (desk.entry().state, desk.unfinished) == (State.SUCCEEDED, 0)


async def test_cancel_while_the_attempt_fails_stops_the_retry(desk: Desk) -> None:
    """RULES 25: a cancel that waited for a failed attempt still stops the attempt after it."""
    desk.answer(500)
    desk.outbox.block("publish")
    await desk.give(task(retry_ms=(MINUTE_MS,)))
    await desk.give(command(Verb.CANCEL), source="control")
    desk.outbox.unblock("publish")
    await desk.clock.settle()
    assert (desk.entry().state, desk.entry().attempt) == (State.CANCELLED, 1)
    await desk.come_back()
    assert desk.sent == [("tsk_1", 1)]


async def test_run_now_sends_at_once_under_a_new_generation(desk: Desk) -> None:
    """RULES 8: run now is a new generation; the record that waits on the tier is not current any more."""
    await desk.give(task(due_at_ms=LATER_MS))
    [waiting] = desk.held
    await desk.give(command(Verb.RUN_NOW, 1, task(due_at_ms=LATER_MS)), source="control")
    [due] = desk.outbox.of(Due)
    assert (due.delivery.generation, due.delivery.attempt, due.delivery.due_at_ms) == (2, 1, NOW_MS)
    assert due.delivery.command_id == "cmd_1"
    await desk.give(due.delivery, source="due")
    await desk.clock.advance(90 * MINUTE_MS)
    await desk.give(waiting.delivery, source="due")
    assert desk.sent == [("tsk_1", 1)]
    assert (desk.entry().generation, desk.entry().state) == (2, State.SUCCEEDED)


async def test_update_sends_the_new_request_at_its_own_time(desk: Desk) -> None:
    """RULES 8: an update carries the whole new delivery and keeps its due time."""
    await desk.give(task(due_at_ms=LATER_MS))
    new = task(due_at_ms=NOW_MS + MINUTE_MS, body=b"new")
    await desk.give(command(Verb.UPDATE, 1, new), source="control")
    held = desk.outbox.of(Held)[-1]
    assert (held.tier, held.delivery.generation, held.delivery.request.body) == ("1m", 2, b"new")
    assert desk.results[-1].because.due_at_ms == NOW_MS + MINUTE_MS
    await desk.clock.advance(MINUTE_MS)
    await desk.give(held.delivery, source="due")
    assert [sent.delivery.request.body for sent in desk.sender.sent] == [b"new"]


async def test_replay_of_a_dead_letter_begins_its_attempts_again(desk: Desk) -> None:
    """RULES 8: a replay is the next generation from attempt 1, and ends on its own."""
    desk.answer(410, 200)
    await desk.give(task())
    await desk.give(command(Verb.REPLAY, 1, desk.dead_letters[0].delivery), source="control")
    await desk.come_back()
    assert desk.sent == [("tsk_1", 1), ("tsk_1", 1)]
    assert [result.generation for result in desk.results if result.final] == [1, 2]
    assert (desk.entry().generation, desk.entry().state) == (2, State.SUCCEEDED)


async def test_command_read_twice_is_done_once(desk: Desk) -> None:
    """RULES 8: a command that is read again finds its own entry, and only its answer is told again."""
    desk.answer(410, 200)
    await desk.give(task())
    replay = command(Verb.REPLAY, 1, desk.dead_letters[0].delivery)
    await desk.give(replay, replay, source="control")
    assert len(desk.outbox.of(Due)) == 1
    assert [(told.because.reason, told.generation) for told in desk.results[-2:]] == [("applied", 2)] * 2


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (command(Verb.CANCEL, 3), "generation is 1, not 3"),
        (command(Verb.UPDATE, 3, task()), "generation is 1, not 3"),
        (command(Verb.RETRY, 1, task()), "task has not ended: scheduled"),
        (command(Verb.RUN_NOW, 1, None), "run_now needs the whole delivery"),
    ],
)
async def test_conflicts_change_nothing_and_say_why(desk: Desk, asked: Command, why: str) -> None:
    """A command that does not fit is answered with the reason and leaves the entry as it was."""
    await desk.give(task(due_at_ms=LATER_MS))
    before, written = desk.entry(), len(desk.outbox.changelog)
    await desk.give(asked, source="control")
    assert (desk.results[-1].outcome, desk.results[-1].because.detail) == (Outcome.CONTROL, why)
    assert (desk.entry(), len(desk.outbox.changelog), desk.unfinished) == (before, written, 0)


async def test_conflict_for_an_unknown_task_has_generation_zero(desk: Desk) -> None:
    """An update of an id of which nothing is known any more is answered, and makes no task."""
    await desk.clock.advance(60 * MINUTE_MS)
    await desk.give(command(Verb.UPDATE, 1, task()), source="control")
    assert (desk.results[0].generation, desk.results[0].because.reason) == (0, "conflict")
    assert len(desk.table) == 0


async def test_replay_of_a_forgotten_task_is_applied(desk: Desk) -> None:
    """RULES 8: replay and retry carry all that is needed when the entry is long gone."""
    dead = replace(task(), seen=True, attempt=5)
    await desk.give(command(Verb.REPLAY, 4, dead), source="control")
    await desk.come_back()
    assert (desk.entry().generation, desk.entry().state) == (5, State.SUCCEEDED)


async def test_command_whose_answer_cannot_be_written_is_tried_again(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault while a command is settled neither loses the command nor holds up its partition for ever."""
    await desk.give(task(due_at_ms=LATER_MS))
    desk.outbox.fail("publish", RuntimeError("a bug of ours"))
    await desk.give(command(Verb.CANCEL), source="control")
    assert desk.meter.counted("faults") == 1
    (line,) = caplog.records
    assert "cannot be written" in line.getMessage()
    assert vars(line)["fields"] == {"record": "control 0:0", "task_id": "tsk_1", "domain": "receiver.example"}
    await desk.clock.advance(10_000)
    assert (desk.entry().state, desk.unfinished) == (State.CANCELLED, 0)
