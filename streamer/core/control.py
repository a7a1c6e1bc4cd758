"""Decides what a command does to a task.

Must not know how the answer is published, nor wait for anything: a task in flight is asked again when its attempt has ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery, Why, moved
from streamer.core.entry import Entry
from streamer.core.lifecycle import State

_AGAIN = frozenset({Verb.RETRY, Verb.REPLAY})
_OPEN_ONLY = frozenset({Verb.UPDATE, Verb.RUN_NOW})


@dataclass(frozen=True, slots=True)
class Applied:
    """The command holds: the task goes on as ``delivery`` in its new generation, or is cancelled when there is none.

    ``pre_entry`` tells that the task has not been seen yet and the command waits for it.
    """

    generation: int
    state: State
    delivery: Delivery | None
    pre_entry: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """The command changes nothing; ``reason`` says why, for people."""

    reason: str


Answer = Applied | Conflict


def answer(command: Command, entry: Entry | None, now_ms: int, epoch: int) -> Answer:
    """Decide a command by the task's entry (RULES 8, 25)."""
    if command.verb is Verb.CANCEL:
        return _cancel(command, entry)
    if command.delivery is None:
        return Conflict(f"{command.verb} needs the whole delivery")
    if entry is None:
        if command.verb in _OPEN_ONLY:
            return Conflict("not seen yet")
        return _next_generation(command, command.delivery, command.expect_generation or 1, now_ms, epoch)
    if command.expect_generation != entry.generation:
        return Conflict(f"generation is {entry.generation}, not {command.expect_generation}")
    if command.verb in _OPEN_ONLY and entry.terminal:
        return Conflict(f"task has ended: {entry.state.word}")
    if command.verb in _AGAIN and not command.force:
        if not entry.terminal:
            return Conflict(f"task has not ended: {entry.state.word}")
        if entry.state is State.SUCCEEDED:
            return Conflict("task has succeeded; force it to send it again")
    return _next_generation(command, command.delivery, entry.generation, now_ms, epoch)


def _cancel(command: Command, entry: Entry | None) -> Answer:
    if entry is None:
        return Applied(command.expect_generation or 1, State.CANCELLED, None, pre_entry=True)
    if command.expect_generation not in (None, entry.generation):
        return Conflict(f"generation is {entry.generation}, not {command.expect_generation}")
    if entry.terminal:
        return Conflict(f"task has ended: {entry.state.word}")
    return Applied(entry.generation, State.CANCELLED, None)


def _next_generation(command: Command, delivery: Delivery, generation: int, now_ms: int, epoch: int) -> Applied:
    due_at_ms = max(now_ms, delivery.due_at_ms) if command.verb is Verb.UPDATE else now_ms
    again = moved(
        delivery,
        due_at_ms=due_at_ms,
        epoch=epoch,
        why=Why.CONTROL,
        attempt=1,
        generation=generation + 1,
        command_id=command.command_id,
    )
    return Applied(generation + 1, State.PENDING, again)
