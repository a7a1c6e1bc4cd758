"""Records that are not the current one of their task: dropped, answered, or made to wait for the entry."""

from __future__ import annotations

from msgspec.structs import replace

from streamer.adapters.memory.sender import Reply
from streamer.core.command import Command, Verb
from streamer.core.emit import Due
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task


def cancel(task_id: str = "tsk_1", generation: int | None = None) -> Command:
    return Command("cmd_1", Verb.CANCEL, task_id, "receiver.example", generation, None, "ops", NOW_MS)


async def test_record_read_twice_is_sent_once(desk: Desk) -> None:
    """The same coordinates again are no second task, and nothing is said of them."""
    await desk.give(task())
    await desk.give(task())
    assert desk.sent == [("tsk_1", 1)]
    assert (len(desk.results), desk.unfinished) == (1, 0)
    assert desk.meter.counted("records_not_current", "not_current") == 1


async def test_retry_that_is_back_before_its_entry_waits_for_it(desk: Desk) -> None:
    """RULES 1: the retry is judged by the entry that its own attempt writes, not by the one before."""
    desk.answer(500, 200)
    desk.outbox.block("log")
    await desk.give(task(retry_ms=(0,)))
    [due] = desk.outbox.of(Due)
    await desk.give(due.delivery, source="due")
    assert desk.sent == [("tsk_1", 1)]
    desk.outbox.unblock("log")
    await desk.clock.settle()
    assert desk.sent == [("tsk_1", 1), ("tsk_1", 2)]
    assert (desk.entry().state, desk.unfinished) == (State.SUCCEEDED, 0)


async def test_retry_whose_entry_was_never_written_is_dropped_and_made_again(desk: Desk) -> None:
    """RULES 1: a seen record without an entry is not current; the first record, read again, makes a new retry."""
    desk.answer(500, 500, 200)
    desk.outbox.block("log")
    await desk.give(task(retry_ms=(0, 0)))
    [lost] = desk.outbox.of(Due)
    desk.outbox.changelog.clear()  # the write did not reach the broker
    await desk.stop()
    desk.outbox.unblock("log")
    desk.start()
    await desk.give(lost.delivery, source="due")
    assert desk.sent == [("tsk_1", 1)]
    desk.read("deliveries")
    await desk.clock.settle()
    await desk.give(desk.outbox.of(Due)[-1].delivery, source="due")
    assert desk.sent == [("tsk_1", 1), ("tsk_1", 1), ("tsk_1", 2)]
    assert desk.entry().state is State.SUCCEEDED


async def test_record_that_comes_after_its_task_was_forgotten_is_not_sent(desk: Desk) -> None:
    """RULES 1: only what intake or claim published may be the first of its task."""
    await desk.give(task(seen=True, attempt=2), source="due")
    assert (desk.sent, desk.results, desk.unfinished) == ([], [], 0)


async def test_thousand_duplicates_wait_for_the_one_in_hand_and_all_end(desk: Desk) -> None:
    """However many records of one task come at once, one is sent and every offset is finished."""
    desk.respond = lambda _: Reply(delay_ms=10)
    await desk.give(*[task() for _ in range(1_000)])
    await desk.clock.advance(10)
    for _ in range(100):
        await desk.clock.settle()
    assert desk.sent == [("tsk_1", 1)]
    assert (desk.unfinished, desk.owned.busy) == (0, {})


async def test_other_request_under_the_same_id_is_answered(desk: Desk) -> None:
    """RULES 32: a first-seen duplicate with other content is rejected in words, and leaves the first task alone."""
    await desk.give(task())
    await desk.give(task(offset=8, body=b"other"))
    answer = desk.results[-1]
    assert (answer.outcome, answer.state, answer.because.reason) == (Outcome.REJECTED, None, "duplicate")
    assert answer.origin is not None
    assert answer.origin.offset == 8
    assert (desk.sent, desk.entry().state) == ([("tsk_1", 1)], State.SUCCEEDED)


async def test_same_request_under_the_same_id_is_silent(desk: Desk) -> None:
    """RULES 32: a producer's own retry is the same task."""
    await desk.give(task())
    await desk.give(task(offset=8))
    assert (len(desk.sent), len(desk.results)) == (1, 1)


async def test_duplicate_of_a_cancelled_task_is_answered(desk: Desk) -> None:
    """RULES 32: who sends a cancelled task again learns that it will not be sent."""
    await desk.give(task(due_at_ms=NOW_MS + MINUTE_MS))
    await desk.give(cancel(), source="control")
    await desk.give(task(offset=8))
    assert desk.results[-1].outcome is Outcome.REJECTED
    assert desk.sent == []


async def test_answer_to_a_duplicate_that_cannot_be_written_does_not_make_it_the_task(desk: Desk) -> None:
    """A fault while a duplicate is answered is tried again; the task keeps its entry and nothing is sent."""
    await desk.give(task())
    desk.outbox.fail("publish", RuntimeError("too large"))
    await desk.give(task(offset=8, body=b"other"))
    await desk.clock.advance(10_000)
    assert desk.entry().state is State.SUCCEEDED
    assert (desk.sent, desk.unfinished) == ([("tsk_1", 1)], 0)
    assert desk.results[-1].outcome is Outcome.REJECTED


async def test_attempts_that_two_copies_of_a_retry_ask_for_are_made_once(desk: Desk) -> None:
    """Two copies of one retry, as a crash leaves them: the second is not current once the first has been sent."""
    desk.answer(500)
    await desk.give(task(retry_ms=(0, MINUTE_MS)))
    copy = desk.outbox.of(Due)[0].delivery
    await desk.give(copy, replace(copy), source="due")
    assert desk.sent == [("tsk_1", 1), ("tsk_1", 2)]
    assert desk.entry().attempt == 2


async def test_entry_of_an_earlier_owner_is_written_again_once(desk: Desk) -> None:
    """RULES 4: who drops a record as not current writes its entry under the own epoch, so that a zombie cannot outrank it."""
    await desk.give(task())
    await desk.crash()
    assert [change[2].epoch for change in desk.outbox.changelog if change[2]] == [1, 2]  # type: ignore[union-attr]
    await desk.give(task())
    assert len(desk.outbox.changelog) == 2
    assert (desk.entry().epoch, desk.entry().state) == (2, State.SUCCEEDED)


async def test_cancelled_before_it_was_seen(desk: Desk) -> None:
    """RULES 25: a cancel of an unknown id waits as a pre-entry; the task ends as cancelled when it comes, unsent."""
    await desk.give(cancel(), source="control")
    assert (desk.results[0].outcome, desk.results[0].because.reason) == (Outcome.CONTROL, "not seen yet")
    assert (desk.entry().pre_entry, desk.entry().request_partition) == (True, 0xFFFF)
    await desk.give(task())
    assert (desk.results[1].outcome, desk.results[1].final) == (Outcome.CANCELLED, True)
    assert (desk.entry().state, desk.entry().pre_entry, desk.entry().request_offset) == (State.CANCELLED, False, 7)
    await desk.give(task())
    assert (desk.sent, len(desk.results)) == ([], 2)


async def test_answer_that_a_task_was_cancelled_before_is_written_even_after_a_fault(desk: Desk) -> None:
    """A fault while the end of a cancelled task is written must not send it."""
    await desk.give(cancel(), source="control")
    desk.outbox.fail("publish", RuntimeError("a bug of ours"))
    await desk.give(task())
    await desk.clock.advance(10_000)
    assert desk.sent == []
    assert (desk.entry().state, desk.results[-1].outcome) == (State.CANCELLED, Outcome.CANCELLED)
