"""Where tasks stand, by what `results` tells of them: one reading of their partitions for any number of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from streamer.adapters.kafka.clients import partition_counts
from streamer.adapters.kafka.log_reader import Span, read_log
from streamer.cli.cluster import Installation
from streamer.cli.words import because
from streamer.wire.outgoing import task_partition
from streamer.wire.result_mask import masked_result
from streamer.wire.result_record import decode_result
from streamer.wire.unreadable import UnreadableRecord

#: By these reasons an answer to a command says that it made the generation.
APPLIED, MOVED = "applied", "moved"


@dataclass(slots=True)
class TaskState:
    """A task's newest generation and how it stands; ``generation`` is 0 while no result tells of the task.

    ``command_id`` is of the command that made the generation, and ``moved`` tells that it brought the task into ``lane``.
    ``waits`` says why it waits, or why it ended, in a few words. ``last`` is what its last attempt came to.
    """

    task_id: str
    generation: int = 0
    state: str | None = None
    final: bool = False
    attempt: int = 0
    lane: str | None = None
    shard: int = 0
    at: str | None = None
    due_at: str | None = None
    waits: str = ""
    last: str | None = None
    command_id: str | None = None
    moved: bool = False

    def learn(self, result: Mapping[str, Any]) -> None:
        """Take in the next result of the task."""
        generation, why = result.get("generation"), result.get("why")
        if type(generation) is not int or generation < max(1, self.generation) or not isinstance(why, dict):
            return
        if result.get("state") is None:
            # An answer that changed nothing, or one to a record that only bears the task's id.
            return
        if generation > self.generation:
            self._begin(generation)
        if self.final:
            # The first end of a generation is its end (RULES 13).
            return
        self.state, self.final = result["state"], result.get("final") is True
        self.at, self.due_at, self.waits = result["at"], why.get("due_at"), because(why)
        self.attempt = result.get("attempt", 0) or self.attempt
        self.last = call_of(result) or self.last
        if result.get("lane") is not None:
            self.lane, self.shard = result["lane"], result.get("shard", 0)
        if is_answer(result) and why.get("reason") in (APPLIED, MOVED):
            self.command_id, self.moved = result.get("command_id"), why["reason"] == MOVED

    def _begin(self, generation: int) -> None:
        self.generation, self.state, self.final, self.attempt = generation, None, False, 0
        self.command_id, self.moved, self.last = None, False, None


def is_answer(result: Mapping[str, Any]) -> bool:
    """Tell whether a result answers a command; others may carry the id of the command that set them going."""
    return result.get("command_id") is not None and result.get("attempt") == 0


def call_of(result: Mapping[str, Any]) -> str | None:
    """Return what a call came to, in a word; None when the result is of no call."""
    if result.get("started_at") is None:
        return None
    return str(result.get("status") or result.get("error_type") or result["outcome"])


async def partitions_of(place: Installation, task_ids: Iterable[str]) -> frozenset[int]:
    """Return the partitions of `results` where these tasks are told of."""
    topic = place.topics.results
    count = (await partition_counts(place.options, [topic]))[topic]
    return frozenset(task_partition(task_id.encode(), count) for task_id in task_ids)


async def read_states(
    place: Installation, task_ids: Iterable[str], partitions: Iterable[int]
) -> Mapping[str, TaskState]:
    """Return where each task stands."""
    states, masking = {task_id.encode(): TaskState(task_id) for task_id in task_ids}, place.masking
    span = Span(offsets=dict.fromkeys(partitions, 0))
    async with aclosing(read_log(place.options, place.topics.results, span)) as records:
        async for record in records:
            # The key first: of millions of results only those of a few tasks need to be read.
            if (state := states.get(record.key or b"")) is not None:
                try:
                    state.learn(masked_result(decode_result(record.value), masking))
                except UnreadableRecord:
                    continue
    return {state.task_id: state for state in states.values()}
