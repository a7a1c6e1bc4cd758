"""Decides what a command does to a task.

Must not know how the answer is published, nor wait for anything: a task on the wire is asked again when its attempt has ended.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery, Why, moved
from streamer.core.entry import NO_PARTITION, Entry
from streamer.core.identity import command_mark
from streamer.core.lifecycle import State

#: A task accepted this long ago, of which nothing is known here, may have ended and been forgotten. An entry is kept
#: for an hour at least (RULES 11), and two machines' clocks differ by less than the rest.
REMEMBERED_MS = 50 * 60_000

MOVED_AWAY = "moved to another domain"
_AGAIN = frozenset({Verb.RETRY, Verb.REPLAY})


class Applied(Struct, frozen=True, gc=False):
    """The command holds: the task goes on as ``delivery`` in its new generation, or is cancelled when there is none.

    ``pre_entry`` tells that the task has not been seen yet and the cancel waits for it. ``moved`` tells that the
    delivery is a first pass in a lane of another partition, and that the task ends in this one. ``repeated`` tells that the entry
    already says what the command asks for: only the answer, and a move's first pass, may still be missing.
    """

    generation: int
    state: State
    delivery: Delivery | None
    pre_entry: bool = False
    moved: bool = False
    repeated: bool = False


class Conflict(Struct, frozen=True, gc=False):
    """The command changes nothing; ``reason`` says why, for people."""

    reason: str


Answer = Applied | Conflict


def answer(
    command: Command, entry: Entry | None, now_ms: int, epoch: int, shard: int = 0, *, leaves: bool = True
) -> Answer:
    """Decide a command by the task's entry (RULES 7, 8, 25).

    ``shard`` is the task's in the lane that its delivery names, and ``leaves`` tells that another partition owns it; only an
    update to another lane asks for them. Two lanes of one partition share its table: there a first pass would be taken for
    a repeat of the task that has just ended.
    """
    if entry is not None and (repeated := _repeated(command, entry, now_ms, epoch, shard, leaves)):
        return repeated
    if entry is not None and entry.moved:
        return Conflict(MOVED_AWAY)
    if command.verb is Verb.CANCEL:
        return _cancel(command, entry)
    delivery = command.delivery
    if delivery is None:
        return Conflict(f"{command.verb} needs the whole delivery")
    if delivery.lane != command.lane and command.verb is not Verb.UPDATE:
        return Conflict(f"{command.verb} keeps the domain {command.lane}; only update may change it")
    why_not = _unknown(command, delivery, now_ms) if entry is None else _unfit(command, delivery, entry)
    return Conflict(why_not) if why_not else _onward(command, delivery, now_ms, epoch, shard, leaves)


def _cancel(command: Command, entry: Entry | None) -> Answer:
    if entry is None:
        return Applied(command.expect_generation or 1, State.CANCELLED, None, pre_entry=True)
    if command.expect_generation not in (None, entry.generation):
        return Conflict(_other_generation(command, entry))
    if entry.terminal:
        return Conflict(f"task has ended: {entry.state.word}")
    return Applied(entry.generation, State.CANCELLED, None)


def _repeated(command: Command, entry: Entry, now_ms: int, epoch: int, shard: int, leaves: bool) -> Applied | None:
    """Return the same answer to a command that is read again and whose entry was written."""
    if entry.command != command_mark(command.command_id):
        return None
    if command.verb is Verb.CANCEL:
        done = entry.state is State.CANCELLED and not entry.moved
        return replace(Applied(entry.generation, entry.state, None, entry.pre_entry), repeated=True) if done else None
    if command.delivery is None or entry.generation != _generation(command, command.delivery) + 1:
        return None
    return replace(_onward(command, command.delivery, now_ms, epoch, shard, leaves), repeated=True)


def _unknown(command: Command, delivery: Delivery, now_ms: int) -> str | None:
    """Return why a command for a task of which nothing is known here must not become the task."""
    if command.verb in _AGAIN or command.force or now_ms - delivery.accepted_at_ms < REMEMBERED_MS:
        return None
    return "not known: not seen yet, or ended and forgotten; force it to send it"


def _unfit(command: Command, delivery: Delivery, entry: Entry) -> str | None:
    """Return why a command does not fit the task as it stands."""
    if command.expect_generation != entry.generation:
        return _other_generation(command, entry)
    origin = (delivery.origin.partition, delivery.origin.offset)
    if entry.request_partition != NO_PARTITION and origin != (entry.request_partition, entry.request_offset):
        asked = f"{entry.request_partition}:{entry.request_offset}"
        return f"the task came from the request record {asked}, the command's delivery from {origin[0]}:{origin[1]}"
    if command.verb not in _AGAIN:
        return f"task has ended: {entry.state.word}" if entry.terminal else None
    if command.force:
        return None
    if not entry.terminal:
        waits_for_retry = command.verb is Verb.RETRY and entry.state is State.RETRYING
        return None if waits_for_retry else f"task has not ended: {entry.state.word}"
    return "task has succeeded; force it to send it again" if entry.state is State.SUCCEEDED else None


def _other_generation(command: Command, entry: Entry) -> str:
    return f"generation is {entry.generation}, not {command.expect_generation}"


def _generation(command: Command, delivery: Delivery) -> int:
    # A task that was forgotten and then cancelled is known by a pre-entry, of a generation that it may have left long ago.
    return max(command.expect_generation or 0, delivery.generation)


def _onward(command: Command, delivery: Delivery, now_ms: int, epoch: int, shard: int, leaves: bool) -> Applied:
    """Return the task's next generation; an update's has a revision of its own (RULES 33)."""
    update = command.verb is Verb.UPDATE
    generation = _generation(command, delivery) + 1
    again = moved(
        delivery,
        due_at_ms=max(now_ms, delivery.due_at_ms) if update else now_ms,
        epoch=epoch,
        why=Why.CONTROL,
        attempt=1,
        generation=generation,
        command_id=command.command_id,
        revision=generation if update else None,
    )
    if delivery.lane == command.lane:
        return Applied(generation, State.PENDING, again)
    there = replace(again, seen=not leaves, shard=shard)
    return Applied(generation, State.PENDING, there, moved=leaves)
