"""What one delivery comes to: its attempt, its end, and what is written of it."""

from __future__ import annotations

import pytest

from streamer.adapters.memory.sender import Reply
from streamer.core.command import Command, Verb
from streamer.core.delivery import Why, trace_id_of
from streamer.core.emit import Held, UnreadableOf
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Failure, Outcome
from streamer.core.partitioning import partition_of
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, broken, task


async def test_success_is_one_result_one_entry_and_a_finished_offset(desk: Desk) -> None:
    """A good answer ends the task: one final result, a terminal entry, no dead letter, nothing left in hand."""
    await desk.give(task())
    [result] = desk.results
    assert (result.outcome, result.state, result.final) == (Outcome.SUCCESS, State.SUCCEEDED, True)
    assert result.exchange is not None
    assert desk.outbox.published == [result]
    assert (desk.entry().state, desk.entry().attempt) == (State.SUCCEEDED, 1)
    assert (desk.unfinished, desk.owned.busy) == (0, {})
    assert desk.meter.counted("attempts", "success") == 1


async def test_retry_goes_onto_the_tier_of_its_interval_and_succeeds_then(desk: Desk) -> None:
    """A 500 lays attempt 2 on the tier of the first interval; when it comes back it is sent as attempt 2."""
    desk.answer(500, 200)
    await desk.give(task(retry_ms=(MINUTE_MS,)))
    [held] = desk.held
    assert (held.tier, held.release_at_ms, held.delivery.due_at_ms) == ("1m", NOW_MS + MINUTE_MS, NOW_MS + MINUTE_MS)
    assert (held.delivery.attempt, held.delivery.seen, held.delivery.why) == (2, True, Why.RETRY)
    assert desk.results[0].because.tier == "1m"
    assert (desk.entry().state, desk.entry().attempt) == (State.RETRYING, 1)
    await desk.come_back()
    assert desk.sent == [("tsk_1", 1), ("tsk_1", 2)]
    assert desk.sender.sent[1].at_ms == NOW_MS + MINUTE_MS
    assert (desk.entry().state, desk.entry().attempt) == (State.SUCCEEDED, 2)
    assert [result.final for result in desk.results] == [False, True]


async def test_last_attempt_ends_in_a_dead_letter_that_holds_the_whole_delivery(desk: Desk) -> None:
    """When the intervals are used up the task fails: final result, dead letter with the reason and that result."""
    desk.answer(503)
    await desk.give(task(retry_ms=(MINUTE_MS,)))
    await desk.come_back()
    [letter] = desk.dead_letters
    assert (letter.reason, letter.delivery.attempt, letter.last) == ("exhausted", 2, desk.results[-1])
    assert letter.delivery.request.url == task().request.url
    assert desk.results[-1].state is desk.entry().state is State.FAILED


@pytest.mark.parametrize("status", [200, 410, 500], ids=["succeeded", "failed", "retrying"])
async def test_entry_says_where_its_lane_is_among_any_number_of_partitions(desk: Desk, status: int) -> None:
    """RULES 37: a set of topics with other partitions can be keyed anew from the entries alone."""
    desk.answer(status)
    await desk.give(task())
    counts = range(1, 65)
    assert [desk.entry().lane % count for count in counts] == [partition_of(task().lane, count) for count in counts]


async def test_answer_that_is_not_worth_a_retry_ends_at_once(desk: Desk) -> None:
    """A 410 ends the task at its first attempt."""
    desk.answer(410)
    await desk.give(task())
    assert [letter.reason for letter in desk.dead_letters] == ["gone"]
    assert (desk.held, desk.entry().state) == ([], State.FAILED)


async def test_refused_connection_is_an_attempt_too(desk: Desk) -> None:
    """A failure without an answer uses up an attempt, as its result tells."""
    desk.sender.script("receiver.example", Reply(Failure(ErrorType.CONNECT, "refused", begun=False)))
    await desk.give(task(retry_ms=(MINUTE_MS,)))
    assert (desk.results[0].outcome, desk.results[0].attempt) == (Outcome.NETWORK_ERROR, 1)
    assert desk.entry().attempt == 1


async def test_expired_before_it_is_sent(desk: Desk) -> None:
    """A task whose time has run out is not sent: it ends as expired, with a dead letter."""
    await desk.give(task(expires_at_ms=NOW_MS))
    assert desk.sent == []
    assert [(result.outcome, result.final) for result in desk.results] == [(Outcome.EXPIRED, True)]
    assert [letter.reason for letter in desk.dead_letters] == ["expired"]
    assert (desk.entry().state, desk.entry().attempt) == (State.EXPIRED, 0)


async def test_retry_that_would_come_after_expiry_ends_now(desk: Desk) -> None:
    """Nobody waits for a time at which nothing would be sent."""
    desk.answer(500)
    await desk.give(task(retry_ms=(MINUTE_MS,), expires_at_ms=NOW_MS + MINUTE_MS))
    assert (desk.held, desk.entry().state) == ([], State.EXPIRED)


async def test_task_that_is_not_due_is_deferred_and_told_once(desk: Desk) -> None:
    """RULES 1: a first deferral writes its entry; only the first of a wait is told on results; no attempt is used up."""
    due_at_ms = NOW_MS + 90 * MINUTE_MS
    await desk.give(task(due_at_ms=due_at_ms))
    [held] = desk.held
    assert (held.tier, held.release_at_ms) == ("1h", NOW_MS + 60 * MINUTE_MS)
    assert (held.delivery.attempt, held.delivery.seen, held.delivery.why) == (1, True, Why.SCHEDULED)
    assert [(result.outcome, result.because.due_at_ms) for result in desk.results] == [(Outcome.DEFERRED, due_at_ms)]
    assert (desk.entry().state, desk.entry().attempt) == (State.SCHEDULED, 0)
    await desk.give(held.delivery, source="due")  # released too early, by a machine whose clock is ahead
    assert (len(desk.held), len(desk.results), desk.sent) == (2, 1, [])
    await desk.come_back()
    assert [sent.at_ms for sent in desk.sender.sent] == [due_at_ms]


async def test_retry_that_comes_back_too_early_stays_a_retry(desk: Desk) -> None:
    """A retry's second wait keeps its state and its reason, and is not told again."""
    desk.answer(500)
    await desk.give(task(retry_ms=(MINUTE_MS,)))
    await desk.give(desk.held[0].delivery, source="due")
    assert desk.held[1].delivery.why is Why.RETRY
    assert (desk.entry().state, desk.entry().attempt, len(desk.results)) == (State.RETRYING, 1, 1)


async def test_due_time_that_is_near_is_waited_for_in_hand(desk: Desk) -> None:
    """The last tenth of a second is no deferral, and still nothing is sent before its time."""
    await desk.give(task(due_at_ms=NOW_MS + 100))
    assert (desk.sent, desk.held) == ([], [])
    await desk.clock.advance(99)
    assert desk.sent == []
    await desk.clock.advance(1)
    assert [sent.at_ms for sent in desk.sender.sent] == [NOW_MS + 100]


async def test_fault_of_ours_defers_with_the_trace_and_uses_no_attempt(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """RULES 14: an unexpected error waits 5 s, then 10 s; its trace stands in the result and its offset is finished."""
    desk.respond = broken
    await desk.give(task())
    await desk.come_back()
    waits = [held.delivery.due_at_ms - result.at_ms for held, result in zip(desk.held, desk.results, strict=True)]
    assert waits == [5_000, 10_000]
    assert [(held.delivery.attempt, held.delivery.faults) for held in desk.held] == [(1, 1), (1, 2)]
    assert "a bug of ours" in (desk.results[0].because.detail or "")
    assert (desk.entry().attempt, desk.unfinished, desk.dead_letters) == (0, 0, [])
    (told, _) = (vars(record)["fields"] for record in caplog.records)
    assert (told["task_id"], told["trace_id"]) == ("tsk_1", trace_id_of(task()))
    assert (told["error"], told["raised_at"].partition(":")[0]) == ("ZeroDivisionError", "flow/desk.py")
    assert "a bug of ours" not in repr(told)
    desk.respond = lambda _: Reply()
    await desk.come_back()
    assert (desk.entry().state, desk.sent) == (State.SUCCEEDED, [("tsk_1", 1)])


@pytest.mark.parametrize(
    ("faults", "wait_ms"), [(0, 5_000), (1, 10_000), (13, 40_960_000), (14, 43_200_000), (99, 43_200_000)]
)
async def test_waits_for_faults_double_up_to_twelve_hours(desk: Desk, faults: int, wait_ms: int) -> None:
    """RULES 14: 5 s doubling to 12 h."""
    desk.respond = broken
    await desk.give(task(faults=faults))
    assert desk.held[0].delivery.due_at_ms == NOW_MS + wait_ms


async def test_wait_for_a_fault_moves_the_due_time_of_the_entry(desk: Desk) -> None:
    """RULES 2: the detector of lost tasks looks at the entry's due time, which must be that of the record that waits."""
    desk.respond = broken
    await desk.give(task(faults=13))
    assert desk.entry().due_s == desk.held[0].delivery.due_at_ms // 1000


async def test_unreadable_record_becomes_a_dead_letter_and_is_done(desk: Desk) -> None:
    """What cannot be read of our own topics is kept whole, and its partition goes on."""
    letter = UnreadableOf("deliveries", 0, 0, NOW_MS, None, b"{", (), None, "not JSON", NOW_MS)
    await desk.give(letter, task())
    assert letter in desk.outbox.published
    assert (desk.unfinished, desk.meter.counted("records_unreadable"), len(desk.sent)) == (0, 1, 1)
    assert not desk.outbox.of(Held)


async def test_fault_in_judging_defers_too(desk: Desk) -> None:
    """RULES 14: a value that no check has caught, and that breaks a comparison of ours, stops nothing."""
    await desk.give(task("odd", expires_at_ms="soon"), task("good"))
    [held] = desk.held
    assert (held.delivery.task_id, held.delivery.why, held.delivery.attempt) == ("odd", Why.FAULT, 1)
    assert "TypeError" in (desk.results[0].because.detail or "")
    assert (desk.entry("good").state, desk.unfinished) == (State.SUCCEEDED, 0)


async def test_command_that_breaks_our_code_is_counted_and_holds_up_no_other(desk: Desk) -> None:
    """A command has no due time to defer it to: it stays in hand, alarmed, and the records beside it go on."""
    odd = Command("cmd_1", Verb.CANCEL, "tsk_9", None, None, None, "ops", NOW_MS)  # type: ignore[arg-type]
    await desk.give(odd, source="control")
    await desk.give(task())
    assert (desk.meter.counted("records_stuck"), desk.unfinished) == (1, 1)
    assert desk.entry().state is State.SUCCEEDED
