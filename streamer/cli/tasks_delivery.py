"""Finds the newest delivery of tasks: on `deliveries`, or on `control` in the command that made their generation."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing

from msgspec.structs import replace

from streamer.adapters.kafka.clients import partition_counts
from streamer.adapters.kafka.log_reader import EVERYTHING, LogRecord, Span, read_log
from streamer.cli.cluster import Installation
from streamer.cli.tasks_state import TaskState
from streamer.core.control import Applied, answer
from streamer.core.delivery import Delivery
from streamer.core.partitioning import partition_of
from streamer.wire.command_record import decode_command
from streamer.wire.delivery_record import decode_delivery
from streamer.wire.header_names import TASK
from streamer.wire.sealed import Sealer
from streamer.wire.unreadable import UnreadableRecord


async def read_deliveries(
    place: Installation, states: Mapping[str, TaskState], lane: str | None
) -> AsyncGenerator[Delivery, None]:
    """Yield the delivery of each task's newest generation, once, as it is found; what is not found is not yielded.

    None is kept: a million tasks of a megabyte each need no more memory than one. With a lane its own partition is read
    first, and the others only for what has not been found there, since a lane may have shards.
    """
    by_command = {state.command_id: state for state in states.values() if state.command_id and not state.moved}
    by_task = {state.task_id: state for state in states.values() if state.command_id is None or state.moved}
    async with aclosing(_records(place, place.topics.control, lane, by_command)) as records:
        async for record in records:
            if (delivery := _commanded(record, by_command, place.sealer)) is not None:
                yield delivery
    async with aclosing(_records(place, place.topics.deliveries, lane, by_task)) as records:
        async for record in records:
            if (delivery := _first_pass(record, by_task, place.sealer)) is not None:
                yield delivery


async def _records(
    place: Installation, topic: str, lane: str | None, wanted: Mapping[str, TaskState]
) -> AsyncGenerator[LogRecord, None]:
    """Yield the records of a topic for as long as something is wanted of it."""
    if not wanted:
        return
    count = (await partition_counts(place.options, [topic]))[topic]
    for span in _spans(count, lane):
        async with aclosing(read_log(place.options, topic, span)) as records:
            async for record in records:
                yield record
                if not wanted:
                    return


def _spans(partitions: int, lane: str | None) -> Iterator[Span]:
    if lane is None:
        yield EVERYTHING
        return
    own = partition_of(lane, partitions)
    yield Span(offsets={own: 0})
    yield Span(offsets=dict.fromkeys((number for number in range(partitions) if number != own), 0))


def _commanded(record: LogRecord, wanted: dict[str, TaskState], sealer: Sealer | None) -> Delivery | None:
    """Return what the task went on as, if this is the command that made its generation."""
    try:
        command = decode_command(record.value, sealer)
    except UnreadableRecord:
        return None
    state = wanted.get(command.command_id)
    if state is None or command.task_id != state.task_id:
        return None
    # Applied once more to a task of which nothing is known, it makes what it made.
    made = answer(replace(command, force=True), None, command.at_ms, 0, state.shard, leaves=False)
    if not isinstance(made, Applied) or made.delivery is None or made.generation != state.generation:
        return None
    del wanted[command.command_id]
    return made.delivery


def _first_pass(record: LogRecord, wanted: dict[str, TaskState], sealer: Sealer | None) -> Delivery | None:
    """Return the delivery, if it is the first record of a wanted task in its generation."""
    task_id = (dict(record.headers).get(TASK) or b"").decode("utf-8", "replace")
    state = wanted.get(task_id)
    if state is None:
        return None
    try:
        delivery = decode_delivery(record.value, sealer)
    except UnreadableRecord:
        return None
    if delivery.task_id != task_id or delivery.generation != max(1, state.generation):
        return None
    del wanted[task_id]
    return delivery
