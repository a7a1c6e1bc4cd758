"""Where a task stands by its results, and what an answer to a command is in words."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from streamer.cli.tasks_answer import Answers, Told, said
from streamer.cli.tasks_state import TaskState
from streamer.core.command import Command, Verb
from streamer.core.emit import Because, ResultOf
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Outcome, Response
from streamer.flow.results import of_command, without_attempt
from streamer.wire.result_record import encode_result
from tests.cli.records import a_delivery, a_result

NOW_MS = 1_767_225_600_000
DUE = "2026-01-01T00:01:00.000Z"
FIRST = a_delivery("task-a")


def command(verb: Verb, generation: int | None = 1) -> Command:
    delivery = None if verb is Verb.CANCEL else FIRST
    return Command("cmd_1", verb, "task-a", "example.com", generation, delivery, "ops", NOW_MS)


def answer(verb: Verb, reason: str, generation: int = 2, state: State | None = State.PENDING, **why: Any) -> ResultOf:
    outcome = Outcome.CANCELLED if state is State.CANCELLED else Outcome.CONTROL
    because = Because(verb, "deliver", reason=reason, **why)
    goes_on = a_delivery("task-a", "other.example") if reason == "moved" else None
    return of_command(command(verb), generation, outcome, state, because, NOW_MS, goes_on)


def read(result: ResultOf) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(encode_result(result))
    return record


def state_after(*results: ResultOf) -> TaskState:
    state = TaskState("task-a")
    for result in results:
        state.learn(read(result))
    return state


def test_newest_generation_and_its_wait() -> None:
    """A retry says until when the task waits, and what its call came to."""
    state = state_after(a_result(FIRST, State.RETRYING, due_at_ms=NOW_MS + 60_000))
    assert (state.generation, state.state, state.final, state.attempt) == (1, "retrying", False, 5)
    assert (state.lane, state.due_at, state.last, state.waits) == ("example.com", DUE, "500", "retry (default.5xx)")


def test_command_begins_a_generation_and_is_remembered() -> None:
    """The generation's delivery is found by the command that made it; a late result of an older one changes nothing."""
    late = a_result(FIRST, State.FAILED)
    state = state_after(a_result(FIRST, State.RETRYING), answer(Verb.UPDATE, "applied"), late)
    assert (state.generation, state.state, state.command_id, state.moved) == (2, "pending", "cmd_1", False)
    assert (state.attempt, state.last) == (0, None)


def test_move_changes_the_lane() -> None:
    """After a move the task is commanded in its new lane."""
    state = state_after(a_result(FIRST, State.RETRYING), answer(Verb.UPDATE, "moved", detail="to other.example"))
    assert (state.lane, state.moved, state.generation) == ("other.example", True, 2)


def test_conflicts_and_refusals_of_other_records_tell_nothing_of_the_task() -> None:
    """A duplicate under the same id may be of another domain, and a conflict changes nothing."""
    because = Because("duplicate", "deliver", reason="duplicate")
    duplicate = without_attempt(a_delivery("task-a", "evil.example"), Outcome.REJECTED, None, because, NOW_MS)
    conflict = answer(Verb.UPDATE, "conflict", 1, None, detail="generation is 1, not 3")
    state = state_after(a_result(FIRST, State.RETRYING), duplicate, conflict)
    assert (state.lane, state.state, state.command_id) == ("example.com", "retrying", None)


def test_first_end_of_a_generation_is_its_end() -> None:
    """RULES 13: a second final that a crash left is not believed."""
    state = state_after(a_result(FIRST, State.SUCCEEDED, status=200), a_result(FIRST, State.FAILED))
    assert (state.state, state.final, state.last) == ("succeeded", True, "200")


@pytest.mark.parametrize(
    ("verb", "result", "call", "applied", "text"),
    [
        (Verb.CANCEL, answer(Verb.CANCEL, "cancelled", 1, State.CANCELLED), None, True, "cancelled"),
        (
            Verb.CANCEL,
            answer(Verb.CANCEL, "cancelled", 1, State.CANCELLED),
            "500",
            True,
            "cancelled; the call on the wire has ended with 500",
        ),
        (
            Verb.CANCEL,
            answer(Verb.CANCEL, "not seen yet", 1, None),
            None,
            True,
            "kept: the task has not been seen yet, and will be cancelled when it comes",
        ),
        (
            Verb.CANCEL,
            answer(Verb.CANCEL, "conflict", 1, None, detail="task has ended: succeeded"),
            "200",
            False,
            "not: task has ended: succeeded",
        ),
        (
            Verb.UPDATE,
            answer(Verb.UPDATE, "applied", due_at_ms=NOW_MS + 60_000),
            None,
            True,
            f"updated: generation 2, due {DUE}",
        ),
        (
            Verb.UPDATE,
            answer(Verb.UPDATE, "moved", detail="to other.example"),
            None,
            True,
            "updated: generation 2, moved to other.example",
        ),
        (Verb.RUN_NOW, answer(Verb.RUN_NOW, "applied"), None, True, "runs now: generation 2"),
        (
            Verb.RETRY,
            answer(Verb.RETRY, "applied"),
            "503",
            True,
            "sent again: generation 2; the call on the wire has ended with 503",
        ),
    ],
)
def test_answer_in_words(verb: Verb, result: ResultOf, call: str | None, applied: bool, text: str) -> None:
    """The answer says what happened, and why not."""
    told = said(command(verb), read(result), call)
    assert isinstance(told, Told)
    assert (told.task_id, told.applied, told.text, told.command_id) == ("task-a", applied, text, "cmd_1")


async def test_answers_are_heard_for_what_was_asked() -> None:
    """The call that ends while a command waits is told with its answer; who gets none in time is told last."""
    heard = Answers()
    heard.expect(command(Verb.CANCEL))
    heard.expect(Command("cmd_2", Verb.CANCEL, "task-b", "example.com", None, None, "ops", NOW_MS))
    heard.hear(read(answer(Verb.RETRY, "applied")) | {"command_id": "of another"})
    heard.hear(read(a_result(FIRST, State.RETRYING)))
    heard.hear(read(answer(Verb.CANCEL, "cancelled", 1, State.CANCELLED)))
    # Read again after a crash, it may be a conflict: the first answer counts.
    heard.hear(read(answer(Verb.CANCEL, "conflict", 1, None, detail="task has ended: cancelled")))
    told = [(each.task_id, each.applied, each.text) async for each in heard.take(0.01)]
    assert told[0] == ("task-a", True, "cancelled; the call on the wire has ended with 500")
    assert told[1][:2] == ("task-b", None)
    assert told[1][2].startswith("no answer within 0.01 s; is a worker running?")
    assert len(told) == 2


def test_call_of_a_task_is_no_answer() -> None:
    """What a generation's own calls bring bears its command's id, and answers nothing."""
    made = ResultOf(
        "task-a", "acme", None, 2, 1, Outcome.SERVER_ERROR, None, State.RETRYING, Because("r", "deliver"), NOW_MS,
        delivery=FIRST, exchange=Exchange(Response(500), NOW_MS, 1.0), command_id="cmd_1",
    )  # fmt: skip
    state = state_after(answer(Verb.RETRY, "applied"), made)
    assert (state.command_id, state.state, state.last) == ("cmd_1", "retrying", "500")
