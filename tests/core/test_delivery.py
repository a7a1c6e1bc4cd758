"""What travels with a task, when it is published again and in what is emitted of it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import fields, replace

from streamer.core.delivery import Delivery, Origin, Why, moved
from streamer.core.emit import Because, ResultOf
from streamer.core.lifecycle import TERMINAL, State
from streamer.core.outcome import Outcome
from streamer.core.request import Request
from tests.core.samples import NOW_MS

FULL = Delivery(
    task_id="tsk_1",
    business="acme",
    business_id="order-1",
    lane="receiver.example",
    request=Request("https://receiver.example/"),
    origin=Origin("requests", 3, 41, NOW_MS),
    accepted_at_ms=NOW_MS + 1,
    due_at_ms=NOW_MS + 2,
    generation=4,
    attempt=5,
    seen=False,
    epoch=6,
    why=Why.SCHEDULED,
    faults=7,
    promise_ms=NOW_MS + 8,
    command_id="cmd_1",
    shard=2,
    waits=3,
    slot_ms=NOW_MS + 9,
    revision=4,
)


def test_moved_delivery_is_seen_and_keeps_what_is_not_named() -> None:
    """RULES 1: what deliver publishes carries ``seen``; whatever tells the task apart stays as it was."""
    again = moved(FULL, due_at_ms=NOW_MS + 9, epoch=10, why=None)
    of_one_wait: dict[str, Any] = {"faults": 0, "waits": 0, "promise_ms": None, "slot_ms": None, "command_id": None}
    assert again == replace(FULL, due_at_ms=NOW_MS + 9, epoch=10, why=None, seen=True, **of_one_wait)


def test_moved_delivery_takes_every_change() -> None:
    """Each thing that may change does."""
    other = Request("https://receiver.example/other")
    again = moved(
        FULL, due_at_ms=1, epoch=2, why=Why.RETRY, attempt=3, generation=9, faults=5, request=other, command_id="cmd_2"
    )
    changed = (again.due_at_ms, again.epoch, again.why, again.attempt, again.generation, again.faults)
    assert changed == (1, 2, Why.RETRY, 3, 9, 5)
    assert (again.request, again.command_id, again.seen) == (other, "cmd_2", True)


def test_every_field_of_the_sample_differs_from_its_default() -> None:
    """A field that a copy forgets would show only where it is not the default; ``seen`` is what moving changes."""
    plain = Delivery("", "", None, "", Request(""), Origin("", 0, 0, 0), 0, 0)
    same = {field.name for field in fields(Delivery) if getattr(FULL, field.name) == getattr(plain, field.name)}
    assert same == {"seen"}


def test_result_is_final_exactly_when_its_state_is_terminal() -> None:
    """An answer that says nothing of the task's state ends nothing."""
    result = ResultOf("tsk_1", "acme", None, 1, 1, Outcome.CONTROL, None, None, Because("x", "deliver"), NOW_MS)
    assert not result.final
    assert {state for state in State if replace(result, state=state).final} == TERMINAL
