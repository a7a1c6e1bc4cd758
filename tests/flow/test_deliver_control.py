"""Commands across everything that can come between them and their answer: the lane, the wire, a crash, another domain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace

from streamer.adapters.memory.outbox import ALL, Kind, Trouble
from streamer.adapters.memory.sender import Reply
from streamer.core.command import Command, Verb
from streamer.core.control import REMEMBERED_MS
from streamer.core.emit import Due, FirstPass, Held
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.partitioning import lane_hash, partition_of
from streamer.flow.deliver import DeliverLimits
from streamer.flow.sweep import KEEP_S
from streamer.ports import Abandoned
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task

LATER_MS = NOW_MS + 90 * MINUTE_MS


def command(verb: Verb, generation: int | None = 1, id_: str = "cmd_1", **changed: Any) -> Command:
    carried = None if verb is Verb.CANCEL else task(due_at_ms=LATER_MS, **changed)
    return Command(id_, verb, "tsk_1", "receiver.example", generation, carried, "ops", NOW_MS)


def bodies(desk: Desk) -> list[bytes]:
    """Return what the receiver got."""
    return [sent.delivery.request.body for sent in desk.sender.sent]


def told(desk: Desk, id_: str = "cmd_1") -> list[tuple[str | None, int]]:
    """Return the answers to a command: reason and generation."""
    return [(r.because.reason, r.generation) for r in desk.results if r.command_id == id_ and r.attempt == 0]


def test_unknown_task_is_not_taken_for_a_new_one_once_it_may_be_forgotten() -> None:
    """A command becomes an unknown task only while an entry of it could not have been forgotten (RULES 11)."""
    assert REMEMBERED_MS < KEEP_S * 1000


DEATHS: list[tuple[Kind, int, int]] = [
    (kind, landed, after) for kind in ("publish", "log") for landed in (0, 1, ALL) for after in (0, 1)
]
#: Of two partitions the desk's is the first: this lane is in the second.
MOVE: dict[str, Any] = {"lane": "away.example", "url": "https://away.example/hook"}
#: And this one in the first.
BESIDE: dict[str, Any] = {"lane": "other.example", "url": "https://other.example/hook"}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """Set up the first of two partitions."""
    desk = Desk(DeliverLimits(partitions=2))
    yield desk
    await desk.stop()


def test_lanes_of_these_tests_are_where_they_say() -> None:
    """The stories below depend on which lanes share a partition."""
    lanes = ("receiver.example", BESIDE["lane"], MOVE["lane"])
    assert [partition_of(lane, 2) for lane in lanes] == [0, 0, 1]


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (command(Verb.CANCEL), "cancelled"),
        (command(Verb.UPDATE, body=b"new"), "applied"),
        (command(Verb.RUN_NOW, body=b"new"), "applied"),
        (command(Verb.UPDATE, body=b"new", **MOVE), "moved"),
    ],
    ids=["cancel", "update", "run_now", "move"],
)
async def test_old_form_is_never_sent_after_the_answer(
    desk: Desk, asked: Command, answer: str, death: tuple[Kind, int, int]
) -> None:
    """RULES 2, 7, 8: wherever the worker dies, and though its heir reads the old record before it reads the command again."""
    kind, landed, after = death
    await desk.give(task(due_at_ms=LATER_MS, body=b"old"))
    [waiting] = desk.held
    desk.commit()
    good, writes = desk.outbox.trouble, count()

    def die(written: Kind, _: object) -> Trouble | None:
        return Trouble(Abandoned(), landed) if written == kind and next(writes) == after else None

    desk.outbox.trouble = die
    await desk.give(asked, source="control")
    answered = told(desk)
    await desk.stop()
    desk.outbox.trouble = good
    desk.start()
    await desk.clock.advance(90 * MINUTE_MS)
    await desk.give(waiting.delivery, source="due")
    old = bodies(desk).count(b"old")
    if answered:
        assert (answered[0][0], old) == (answer, 0)
    desk.read("control")
    await desk.clock.settle()
    await desk.come_back()
    assert bodies(desk).count(b"old") == old
    ended = told(desk)[-1][0]
    assert ended == ("conflict" if old else answer)
    assert bodies(desk).count(b"new") == (ended == "applied")
    assert bool(desk.outbox.of(FirstPass)) is (ended == "moved")
    assert (desk.entry().terminal, desk.unfinished) == (True, 0)


@pytest.mark.parametrize("verb", [Verb.CANCEL, Verb.UPDATE, Verb.RUN_NOW])
async def test_command_read_again_after_a_crash_is_answered_alike(desk: Desk, verb: Verb) -> None:
    """RULES 8: the answer to a command does not turn into a conflict because it is read again."""
    await desk.give(task(due_at_ms=LATER_MS))
    desk.commit()
    await desk.give(command(verb), source="control")
    laid = len(desk.outbox.of(Held)) + len(desk.outbox.of(Due))
    await desk.crash()
    assert len(told(desk)) == 2
    assert len(set(told(desk))) == 1
    assert len(desk.outbox.of(Held)) + len(desk.outbox.of(Due)) == laid


@pytest.mark.parametrize(("verb", "sent"), [(Verb.UPDATE, [b"new"]), (Verb.RUN_NOW, [b"new"])])
async def test_command_before_its_task_becomes_the_task(desk: Desk, verb: Verb, sent: list[bytes]) -> None:
    """RULES 25: what control brings first is not lost, and the record that began the task is not sent beside it."""
    await desk.give(command(verb, body=b"new"), source="control")
    assert told(desk) == [("applied", 2)]
    await desk.give(task(due_at_ms=LATER_MS, body=b"old"))
    await desk.come_back()
    assert bodies(desk) == sent
    assert (desk.entry().generation, desk.entry().state, desk.unfinished) == (2, State.SUCCEEDED, 0)
    assert desk.meter.counted("records_not_current") == 1


async def test_update_while_the_call_is_on_the_wire_changes_the_next_one(desk: Desk) -> None:
    """The attempt is recorded; what follows is the new form from its first attempt."""
    desk.respond = lambda delivery: Reply(delay_ms=1_000)
    desk.answer(500, 200)
    await desk.give(task(retry_ms=(MINUTE_MS,), body=b"old"))
    await desk.give(command(Verb.UPDATE, body=b"new"), source="control")
    await desk.clock.advance(1_000)
    await desk.come_back()
    assert bodies(desk) == [b"old", b"new"]
    assert (desk.entry().generation, desk.entry().state) == (2, State.SUCCEEDED)


async def test_update_of_one_waiting_for_its_retry_begins_its_attempts_again(desk: Desk) -> None:
    """RETRY, too, holds for a task that waits for its retry."""
    desk.answer(500, 500, 200)
    await desk.give(task(retry_ms=(MINUTE_MS, MINUTE_MS)))
    [waiting] = desk.held
    await desk.give(command(Verb.RETRY), source="control")
    assert told(desk) == [("applied", 2)]
    [due] = desk.outbox.of(Due)
    assert (due.delivery.attempt, due.delivery.generation, due.delivery.revision) == (1, 2, 0)
    await desk.give(waiting.delivery, source="due")
    assert desk.sent == [("tsk_1", 1)]


async def test_move_ends_the_task_here_before_it_begins_there(desk: Desk) -> None:
    """RULES 7: the entry that ends the old generation stands before the new place can read the task."""
    await desk.give(task(due_at_ms=LATER_MS, body=b"old"))
    await desk.give(command(Verb.UPDATE, body=b"new", **MOVE), source="control")
    [first] = desk.outbox.of(FirstPass)
    written = [what for _, what in desk.outbox.order]
    assert written.index(first) > written.index(desk.outbox.changelog[-1])
    assert (first.delivery.lane, first.delivery.seen, first.delivery.generation) == ("away.example", False, 2)
    assert (first.delivery.revision, first.delivery.due_at_ms) == (2, LATER_MS)
    assert (desk.entry().state, desk.entry().moved, desk.entry().generation) == (State.CANCELLED, True, 2)
    assert told(desk) == [("moved", 2)]
    await desk.come_back()
    await desk.give(command(Verb.CANCEL, None, "cmd_2"), source="control")
    assert (desk.results[-1].because.reason, desk.results[-1].because.detail) == ("conflict", "moved to another domain")
    assert desk.sent == []


async def test_move_to_a_lane_of_the_same_partition(desk: Desk) -> None:
    """RULES 7: two lanes of one partition share the task's entry, and a first pass would be taken for a repeat."""
    await desk.give(task(due_at_ms=LATER_MS, body=b"old"))
    [waiting] = desk.held
    await desk.give(command(Verb.UPDATE, body=b"new", **BESIDE), source="control")
    assert (told(desk), desk.outbox.of(FirstPass)) == ([("applied", 2)], [])
    assert (desk.results[-1].delivery or task()).lane == "other.example"
    assert desk.entry().lane == lane_hash("other.example")
    await desk.give(waiting.delivery, source="due")
    await desk.clock.advance(90 * MINUTE_MS)
    await desk.give(desk.held[-1].delivery, source="due")
    assert [(sent.delivery.lane, sent.delivery.request.body) for sent in desk.sender.sent] == [
        ("other.example", b"new")
    ]
    assert (desk.entry().generation, desk.entry().state) == (2, State.SUCCEEDED)


async def test_task_moves_there_and_back(desk: Desk) -> None:
    """RULES 7: its own lane takes it again by its higher generation, and every older record of it is dropped."""
    await desk.give(task(due_at_ms=LATER_MS, body=b"old"))
    [waiting] = desk.held
    await desk.give(command(Verb.UPDATE, body=b"away", **MOVE), source="control")
    back = replace(task(body=b"back"), generation=3, revision=3)
    await desk.give(back)
    assert bodies(desk) == [b"back"]
    await desk.clock.advance(90 * MINUTE_MS)
    await desk.give(waiting.delivery, source="due")
    await desk.give(back)
    assert bodies(desk) == [b"back"]
    assert (desk.entry().generation, desk.entry().state, desk.entry().moved) == (3, State.SUCCEEDED, False)


async def test_cancel_of_one_that_moved_in_before_it_was_seen(desk: Desk) -> None:
    """RULES 25: a cancel that precedes a first pass of a later generation ends that generation."""
    await desk.give(command(Verb.CANCEL, None), source="control")
    await desk.give(replace(task(), generation=2, revision=2))
    assert desk.sent == []
    assert (desk.results[-1].outcome, desk.results[-1].generation) == (Outcome.CANCELLED, 2)
    assert (desk.entry().generation, desk.entry().state) == (2, State.CANCELLED)


async def test_commands_to_a_task_that_waits_in_its_lane_hold_at_once(desk: Desk) -> None:
    """What has not begun is not begun: a cancel or update does not wait for the lane's turn."""
    desk.respond = lambda delivery: Reply(delay_ms=60_000 if delivery.task_id != "tsk_1" else 0)
    others = [task(f"other_{n}", offset=100 + n) for n in range(40)]
    await desk.give(*others)
    await desk.give(task(body=b"old"))
    busy = len(desk.sent)
    assert ("tsk_1", 1) not in desk.sent
    await desk.give(command(Verb.UPDATE, body=b"new"), source="control")
    assert told(desk) == [("applied", 2)]
    await desk.give(command(Verb.CANCEL, 2, "cmd_2"), source="control")
    assert told(desk, "cmd_2") == [("cancelled", 2)]
    await desk.clock.advance(120_000)
    await desk.come_back()
    assert ("tsk_1", 1) not in desk.sent
    assert len(desk.sent) > busy
