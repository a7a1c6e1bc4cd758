"""Carries out what was asked of tasks: finds where they stand, writes a command for each, and yields what became of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from msgspec import structs

from streamer.cli.cluster import Installation
from streamer.cli.tasks_answer import Told, answers
from streamer.cli.tasks_delivery import read_deliveries
from streamer.cli.tasks_state import TaskState, partitions_of, read_states
from streamer.cli.tasks_writer import Writer
from streamer.core.command import Command, Verb
from streamer.core.control import Conflict, answer
from streamer.core.delivery import Delivery
from streamer.core.entry import NO_PARTITION, Entry
from streamer.core.lifecycle import State
from streamer.core.reading import Refused
from streamer.wire.instants import parse_instant

_STATES = {state.word: state for state in State}


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked, alike for all tasks; ``change`` makes of a task what it shall go on as.

    ``wait_s`` is None when nobody waits for the answers.
    """

    verb: Verb
    by: str
    lane: str | None = None
    expect_generation: int | None = None
    force: bool = False
    change: Callable[[Delivery], Delivery | Refused] = lambda delivery: delivery
    wait_s: float | None = 10.0


async def carry_out(place: Installation, order: Order, task_ids: Sequence[str]) -> AsyncGenerator[Told, None]:
    """Yield what became of each task, as it becomes known; each has one command at most."""
    partitions = await partitions_of(place, task_ids)
    async with AsyncExitStack() as stack:
        heard = None
        if order.wait_s is not None:
            heard = await stack.enter_async_context(answers(place, partitions))
        writer = await Writer.open(place, heard)
        stack.push_async_callback(writer.close)
        states = await read_states(place, task_ids, partitions)
        async with aclosing(_commands(place, order, states)) as commands:
            async for command, shard in commands:
                if isinstance(command, Told):
                    yield command
                    continue
                for told in await writer.add(command, shard):
                    yield told
        for told in await writer.flush():
            yield told
        if heard is not None and order.wait_s is not None:
            async for told in heard.take(order.wait_s):
                yield told


async def _commands(
    place: Installation, order: Order, states: Mapping[str, TaskState]
) -> AsyncGenerator[tuple[Command | Told, int], None]:
    """Yield a command with its shard for each task, or why there is none."""
    missing = dict(states)
    for task_id, state in states.items():
        made = _at_once(order, state)
        if made is not None:
            del missing[task_id]
            yield made
    async with aclosing(read_deliveries(place, missing, order.lane)) as deliveries:
        async for delivery in deliveries:
            yield _command(order, missing.pop(delivery.task_id), delivery)
    for made in _without_delivery(order, missing):
        yield made


def _at_once(order: Order, state: TaskState) -> tuple[Command | Told, int] | None:
    """Return what needs no delivery: a refusal, or a cancel of a task whose lane results tell; None for all else."""
    expected = order.expect_generation
    if order.lane is not None and state.lane not in (None, order.lane):
        return _refuse(state, f"the task is of the domain {state.lane}"), 0
    if order.verb is Verb.CANCEL:
        if state.final:
            return _refuse(state, f"task has ended: {state.state}"), 0
        return (_new(order, state, state.lane, None), state.shard) if state.lane is not None else None
    if expected is not None and state.generation and expected != state.generation:
        return _refuse(state, f"generation is {state.generation}, not {expected}"), 0
    return None


def _command(order: Order, state: TaskState, delivery: Delivery) -> tuple[Command | Told, int]:
    """Return the command for a task whose delivery was found."""
    if order.lane not in (None, delivery.lane):
        return _refuse(state, f"the task is of the domain {delivery.lane}"), 0
    if order.verb is Verb.CANCEL:
        return _new(order, state, delivery.lane, None), delivery.shard
    if state.due_at is not None and not state.final:
        # An update that says nothing of the time leaves the task waiting for as long as it would have.
        delivery = structs.replace(delivery, due_at_ms=parse_instant(state.due_at))
    changed = order.change(delivery)
    if isinstance(changed, Refused):
        return _refuse(state, changed.reason), 0
    command = _new(order, state, delivery.lane, changed)
    if state.final:
        # What has ended is known here for longer than there: its entry may have been forgotten.
        entry = _entry(state, delivery)
        conflict = answer(command, entry, command.at_ms, 0)
        if isinstance(conflict, Conflict):
            return _refuse(state, conflict.reason), 0
    return command, delivery.shard


def _without_delivery(order: Order, missing: Mapping[str, TaskState]) -> Iterator[tuple[Command | Told, int]]:
    for state in missing.values():
        if order.verb is Verb.CANCEL and order.lane is not None:
            yield _new(order, state, order.lane, None), 0
        elif state.generation:
            text = f"its delivery of generation {state.generation} is on deliveries and control no longer"
            yield _refuse(state, text), 0
        else:
            hint = "; with --domain its cancel is kept until it comes" if order.verb is Verb.CANCEL else ""
            yield _refuse(state, f"no such task is told of on results, deliveries or control{hint}"), 0


def _new(order: Order, state: TaskState, lane: str, delivery: Delivery | None) -> Command:
    expected = order.expect_generation
    if delivery is not None and expected is None:
        expected = max(1, state.generation)
    return Command(
        command_id=f"cmd_{uuid.uuid4().hex}",
        verb=order.verb,
        task_id=state.task_id,
        lane=lane,
        expect_generation=expected,
        delivery=delivery,
        by=order.by,
        at_ms=time.time_ns() // 1_000_000,
        force=order.force,
    )


def _entry(state: TaskState, delivery: Delivery) -> Entry:
    ended = _STATES.get(state.state or "", State.FAILED)
    return Entry(state.generation, 0, 0, ended, 0, 0, 0, bytes(8), 0, NO_PARTITION, delivery.origin.offset)


def _refuse(state: TaskState, reason: str) -> Told:
    return Told(state.task_id, False, f"not: {reason}", None, state.generation or None)
