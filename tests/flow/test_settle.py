"""The order in which a settlement is written, and what a write that fails does to the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from streamer.adapters.memory.outbox import ALL, Kind, Trouble
from streamer.core.command import Command, Verb
from streamer.core.emit import Emit, Held, ResultOf
from streamer.core.figures import LaneFigures
from streamer.core.lifecycle import State
from streamer.flow.deliver import DeliverLimits
from streamer.flow.steps import FAULT_FIRST_MS
from streamer.ports import Change
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task


async def test_state_is_sent_only_after_its_consequence_is_acknowledged(desk: Desk) -> None:
    """RULES 2: while the result waits for its acknowledgement no state is written and no offset finished."""
    desk.outbox.block("publish")
    await desk.give(task())
    assert (len(desk.outbox.published), desk.outbox.changelog, desk.unfinished) == (1, [], 1)
    desk.outbox.unblock("publish")
    await desk.clock.settle()
    assert [kind for kind, _ in desk.outbox.order] == ["publish", "log"]
    assert desk.unfinished == 0


async def test_offset_is_finished_only_after_the_state_is_acknowledged(desk: Desk) -> None:
    """RULES 2: while the changelog's acknowledgement is out, the table and the window are as before."""
    desk.outbox.block("log")
    await desk.give(task())
    assert (len(desk.outbox.changelog), len(desk.table), desk.unfinished) == (1, 0, 1)
    desk.commit()
    assert desk.committed["deliveries"] == 0
    desk.outbox.unblock("log")
    await desk.clock.settle()
    desk.commit()
    assert (len(desk.table), desk.committed["deliveries"]) == (1, 1)


async def test_retry_and_dead_letter_come_before_their_state_too(desk: Desk) -> None:
    """RULES 2: whatever follows from an attempt is acknowledged before the state that says so."""
    desk.answer(500, 410)
    await desk.give(task("retried"))
    await desk.give(task("dead"))
    kinds = [kind for kind, _ in desk.outbox.order]
    assert kinds == ["publish", "publish", "log", "publish", "publish", "log"]


async def test_settlements_that_gather_during_a_write_go_as_one_group(desk: Desk) -> None:
    """One acknowledgement serves all that was decided while the one before was out."""
    desk.outbox.block("publish")
    await desk.give(task("first"))
    await desk.give(*[task(f"tsk_{number}") for number in range(10)])
    writes: list[int] = []

    def note(kind: Kind, items: Sequence[Emit] | Sequence[Change]) -> None:
        writes.append(len(items))

    desk.outbox.trouble = note
    desk.outbox.unblock("publish")
    await desk.clock.settle()
    assert writes == [1, 10, 10]


async def test_no_more_calls_are_unwritten_than_twice_those_allowed_in_flight() -> None:
    """A broker that is slow to answer holds up calls, so that a crash has a bounded number of them made again."""
    desk = Desk(limits=DeliverLimits(in_flight=2))
    desk.outbox.block("publish")
    await desk.give(*[task(f"tsk_{number}") for number in range(10)])
    assert len(desk.sent) == 4
    desk.outbox.unblock("publish")
    await desk.clock.settle()
    assert (len(desk.sent), desk.unfinished) == (10, 0)
    await desk.stop()


async def test_one_settlement_that_cannot_be_written_does_not_hold_up_its_group(desk: Desk) -> None:
    """RULES 14: the others of its group are written; it is deferred with the trace, and its offset is finished."""

    def too_large(kind: Kind, items: Sequence[Emit] | Sequence[Change]) -> Trouble | None:
        final = [item for item in items if isinstance(item, ResultOf) and item.task_id == "bad" and item.final]
        return Trouble(RuntimeError("too large")) if final else None

    desk.outbox.trouble = too_large
    await desk.give(task("good_1"), task("bad"), task("good_2"))
    assert [desk.entry(name).state for name in ("good_1", "good_2")] == [State.SUCCEEDED] * 2
    [held] = desk.held
    assert (held.delivery.task_id, held.delivery.attempt, held.delivery.faults) == ("bad", 1, 1)
    assert desk.entry("bad").attempt == 0
    assert "too large" in (desk.results[-1].because.detail or "")
    assert desk.unfinished == 0


async def test_an_answer_that_cannot_be_written_undoes_nothing_of_its_group(desk: Desk) -> None:
    """Its task has ended and says so once: what stands when the answer to a command fails is not written again, nor put off."""

    def no_answers(kind: Kind, items: Sequence[Emit] | Sequence[Change]) -> Trouble | None:
        wanted = kind == "log" or all(isinstance(each, ResultOf) and each.exchange for each in items)
        return None if wanted else Trouble(RuntimeError("too large"))

    desk.outbox.block("publish")
    await desk.give(task("first"))
    await desk.give(task("second"))
    await desk.give(
        Command("cmd_1", Verb.CANCEL, "unknown", "receiver.example", None, None, "ops", NOW_MS), source="control"
    )
    desk.outbox.trouble = no_answers
    desk.outbox.unblock("publish")
    await desk.clock.settle()
    assert [result.task_id for result in desk.results] == ["first", "second"]
    assert desk.entry("second").state is State.SUCCEEDED
    assert desk.unfinished == 1
    desk.outbox.trouble = lambda kind, items: None
    await desk.clock.advance(FAULT_FIRST_MS)
    assert [result.task_id for result in desk.results] == ["first", "second", "unknown"]
    assert len(desk.outbox.changelog) == 3
    assert (desk.unfinished, len(desk.sent)) == (0, 2)


async def test_group_whose_write_failed_after_it_landed_ends_the_same(desk: Desk) -> None:
    """A write that reached the broker and reported an error is made again; nothing is sent twice, one end stays."""
    desk.outbox.fail("publish", RuntimeError("no answer"), landed=ALL)
    await desk.give(task("tsk_1"), task("tsk_2"))
    assert [result.task_id for result in desk.results if result.final] == ["tsk_1", "tsk_2", "tsk_1", "tsk_2"]
    assert len(desk.sent) == 2
    assert desk.entry("tsk_1").state is desk.entry("tsk_2").state is State.SUCCEEDED


async def test_wait_that_cannot_be_written_makes_no_task_due_sooner(desk: Desk) -> None:
    """A task for later whose deferral fails is set aside for a fault of ours, and still not sent before its time."""
    desk.outbox.fail("publish", RuntimeError("too large"))
    due_at_ms = desk.clock.now_ms() + 90 * MINUTE_MS
    await desk.give(task(due_at_ms=due_at_ms))
    [held] = desk.held
    assert (held.delivery.due_at_ms, held.delivery.faults) == (due_at_ms, 1)
    await desk.come_back()
    assert [sent.at_ms for sent in desk.sender.sent] == [due_at_ms]


async def test_deferral_that_cannot_be_written_is_tried_every_five_seconds(desk: Desk) -> None:
    """RULES 14: when not even the fault can be told, the worker tries again at a human pace, and goes on when it can."""
    writes: list[int] = []

    def down(kind: Kind, items: Sequence[Emit] | Sequence[Change]) -> Trouble | None:
        if any(isinstance(item, LaneFigures) for item in items):
            return None
        writes.append(desk.clock.now_ms())
        return Trouble(RuntimeError("a bug of ours")) if len(writes) < 6 else None

    desk.outbox.trouble = down
    await desk.give(task(retry_ms=(MINUTE_MS,)))
    await desk.clock.advance(60_000)
    assert (len(desk.outbox.of(Held)), desk.unfinished, len(desk.sent)) == (1, 0, 1)
    assert {later - first for first, later in pairwise(writes[1:6])} == {5_000}


async def test_partition_given_up_meanwhile_is_not_written_again(desk: Desk) -> None:
    """What waits to be written again belongs to the next owner once the partition is gone."""
    desk.outbox.trouble = lambda kind, items: Trouble(RuntimeError("a bug of ours"))
    await desk.give(task())
    desk.deliver.give_up(desk.owned)
    desk.outbox.trouble = lambda kind, items: None
    await desk.clock.advance(60_000)
    assert (desk.outbox.published, desk.unfinished) == ([], 1)


async def test_a_pace_gathers_what_comes_one_by_one() -> None:
    """With a pace the first goes at once, and what comes after it goes together when the pace is over."""
    desk = Desk(DeliverLimits(settle_pace_ms=10))
    try:
        await desk.give(task("first"))
        assert [kind for kind, _ in desk.outbox.order] == ["publish", "log"]
        for number in range(5):
            await desk.give(task(f"tsk_{number}"))
        await desk.clock.advance(9)
        assert (len(desk.outbox.order), desk.unfinished) == (2, 5)
        await desk.clock.advance(1)
        assert [kind for kind, _ in desk.outbox.order[2:]] == ["publish"] * 5 + ["log"] * 5
        assert desk.unfinished == 0
    finally:
        await desk.stop()


async def test_a_pace_does_not_hold_up_a_whole_group() -> None:
    """Once as many have gathered as a group may have, they are written without a rest."""
    desk = Desk(DeliverLimits(settle_pace_ms=10))
    try:
        desk.outbox.block("publish")
        await desk.give(task("first"), *[task(f"tsk_{number}") for number in range(300)])
        # Answers go on a few at a time: until all of them wait to be written.
        for _ in range(50):
            await desk.clock.settle()
        desk.outbox.unblock("publish")
        for _ in range(10):
            await desk.clock.settle()
        assert desk.unfinished <= 51
    finally:
        await desk.stop()
