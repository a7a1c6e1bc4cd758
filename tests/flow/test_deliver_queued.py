"""Commands to a task that waits in its lane's queue: they hold at once, and a conflict leaves the task its turn."""

from __future__ import annotations

import pytest

from streamer.core.command import Command, Verb
from streamer.core.lifecycle import State
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import parse_rate
from tests.core.samples import NOW_MS
from tests.flow.desk import Desk, task
from tests.flow.tiers import Tiers

DOMAIN = "receiver.example"


@pytest.fixture
def slow(desk: Desk) -> Desk:
    """A desk whose domain takes one call a second."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(rate=parse_rate("1/s"), burst=1)})
    return desk


def cancel(task_id: str, generation: int | None = None) -> Command:
    return Command(f"cancel_{task_id}", Verb.CANCEL, task_id, DOMAIN, generation, None, "ops", NOW_MS)


def told(desk: Desk) -> list[tuple[str | None, str | None]]:
    return [(r.command_id, r.because.reason) for r in desk.results if r.command_id is not None]


async def test_a_fresh_task_is_cancelled_in_the_queue(slow: Desk) -> None:
    """It has no entry yet; the answer says cancelled, it is never sent, and its slot goes to the next one."""
    await slow.give(*[task(f"tsk_{number}") for number in range(3)])
    await slow.give(cancel("tsk_1", 1), source="control")
    assert told(slow) == [("cancel_tsk_1", "cancelled")]
    assert slow.entry("tsk_1").state is State.CANCELLED
    await slow.clock.advance(5_000)
    assert [(sent.delivery.task_id, sent.at_ms - NOW_MS) for sent in slow.sender.sent] == [
        ("tsk_0", 1_000),
        ("tsk_2", 2_000),
    ]
    assert slow.unfinished == 0


async def test_a_retry_is_cancelled_in_the_queue(slow: Desk) -> None:
    """One that has been attempted keeps its attempts in its entry, and makes no further one."""
    slow.answer(500)
    await slow.give(task("tsk_1", retry_ms=(1_000,)))
    await slow.clock.advance(1_000)
    [waiting] = slow.held
    await slow.clock.advance(1_000)
    await slow.give(task("other"))
    await slow.give(waiting.delivery, source="due")
    await slow.give(cancel("tsk_1"), source="control")
    await slow.clock.advance(5_000)
    assert slow.sent == [("tsk_1", 1), ("other", 1)]
    assert (slow.entry("tsk_1").state, slow.entry("tsk_1").attempt) == (State.CANCELLED, 1)
    assert slow.unfinished == 0


async def test_a_command_that_is_refused_leaves_the_task_its_turn(slow: Desk) -> None:
    """A conflict changes nothing: the task waits on, is sent once, and finishes its offset."""
    await slow.give(*[task(f"tsk_{number}") for number in range(3)])
    await slow.give(cancel("tsk_1", 7), source="control")
    assert told(slow) == [("cancel_tsk_1", "conflict")]
    await slow.clock.advance(5_000)
    assert sorted(slow.sent) == [(f"tsk_{number}", 1) for number in range(3)]
    assert (slow.entry("tsk_1").state, slow.unfinished) == (State.SUCCEEDED, 0)


async def test_a_promise_of_a_cancelled_task_is_handed_on(slow: Desk) -> None:
    """RULES 9: its record finds at its return that it is not current, and the next deferral gets a slot less far away."""
    await slow.give(*[task(f"tsk_{number:02d}") for number in range(12)])
    await slow.give(cancel("tsk_06"), source="control")
    tiers = Tiers(slow)
    await tiers.run(5_100)
    [lane] = slow.deliver.gate.lanes
    assert lane.promised_ms == NOW_MS + 11_000
    await tiers.run(20_000)
    assert len(slow.sent) == 11
    assert slow.meter.counted("records_not_current") == 1


async def test_many_commands_to_one_waiting_task_are_answered_in_order(slow: Desk) -> None:
    """Each is judged when the one before it is written, though that one has left the task in its queue."""
    await slow.give(task("first"), task("tsk_1"))
    await slow.give(cancel("tsk_1", 7), cancel("tsk_1", 1), cancel("tsk_1", 1), source="control")
    assert [reason for _, reason in told(slow)][:2] == ["conflict", "cancelled"]
    await slow.clock.advance(5_000)
    assert (slow.sent, slow.unfinished) == ([("first", 1)], 0)
