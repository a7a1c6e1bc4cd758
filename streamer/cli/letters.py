"""Finds dead letters: reads the topic, keeps those that were asked for, and learns what became of their tasks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from streamer.adapters.kafka.log_reader import EVERYTHING, Span, read_log
from streamer.cli.cluster import Installation
from streamer.core.command import Verb
from streamer.core.lifecycle import State
from streamer.wire.command_record import decode_command
from streamer.wire.dead_letter_record import DeadLetter, decode_dead_letter
from streamer.wire.result_record import decode_result
from streamer.wire.unreadable import UnreadableRecord


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter where it stands; ``problem`` says why it could not be read, and then there is no ``content``."""

    partition: int
    offset: int
    timestamp_ms: int
    content: DeadLetter | None
    problem: str | None = None

    @property
    def place(self) -> str:
        """Its coordinates, as `dead-letters show` takes them."""
        return f"{self.partition}:{self.offset}"

    @property
    def generation(self) -> int:
        """The generation that ended here; 0 for a record that no task was made of."""
        return self.content.delivery.generation if self.content and self.content.delivery else 0

    @property
    def task_id(self) -> str | None:
        """The task, if there ever was one."""
        return self.content.task_id if self.content else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters are meant: all, less what each of these leaves out."""

    lane: str | None = None
    reason: str | None = None
    since_ms: int | None = None
    task_ids: frozenset[str] = frozenset()

    def matches(self, letter: Letter) -> bool:
        """Tell whether a dead letter is meant. One that cannot be read has neither domain, reason nor task."""
        content = letter.content
        if content is None:
            return self.lane is None and self.reason is None and not self.task_ids
        return (
            (self.lane is None or content.lane == self.lane)
            and (self.reason is None or content.reason == self.reason)
            and (not self.task_ids or content.task_id in self.task_ids)
        )


@dataclass(slots=True)
class History:
    """What is known of some tasks beside their dead letters."""

    replayed: set[tuple[str, int]] = field(default_factory=set)
    #: Task → the first generation that succeeded.
    succeeded: dict[str, int] = field(default_factory=dict)
    #: Task → its newest generation, where it has left the first.
    newest: dict[str, int] = field(default_factory=dict)

    def why_not(self, task_id: str, generation: int) -> str | None:
        """Return why a dead letter must not be replayed unforced; None when it may be (RULES 13)."""
        if (task_id, generation) in self.replayed:
            return "already replayed"
        if self.succeeded.get(task_id, generation + 1) <= generation:
            return "task has succeeded"
        if self.newest.get(task_id, 1) > generation:
            return f"task has gone on, in generation {self.newest[task_id]}"
        return None

    def saw(self, task_id: str, generation: int) -> None:
        """Note that a task has been in a generation."""
        if generation > self.newest.get(task_id, 1):
            self.newest[task_id] = generation


async def read_letters(place: Installation, span: Span = EVERYTHING) -> AsyncGenerator[Letter, None]:
    """Yield the dead letters of a span, whatever state they are in."""
    async with aclosing(read_log(place.options, place.topics.dead_letter, span)) as records:
        async for record in records:
            content, problem = None, None
            try:
                content = decode_dead_letter(record.value, place.sealer)
            except UnreadableRecord as error:
                problem = str(error)
            yield Letter(record.partition, record.offset, record.timestamp_ms, content, problem)


def span_of(wanted: Wanted) -> Span:
    """Return what has to be read to find them."""
    return Span(since_ms=wanted.since_ms) if wanted.since_ms is not None else EVERYTHING


async def learn(place: Installation, tasks: Collection[str], history: History) -> None:
    """Add what `control` and `results` tell of these tasks."""
    if not tasks:
        return
    async with aclosing(read_log(place.options, place.topics.control)) as records:
        async for record in records:
            try:
                command = decode_command(record.value, place.sealer)
            except UnreadableRecord:
                continue
            if command.verb is Verb.REPLAY and command.task_id in tasks and command.expect_generation is not None:
                history.replayed.add((command.task_id, command.expect_generation))
    async with aclosing(read_log(place.options, place.topics.results)) as records:
        keys = {task_id.encode() for task_id in tasks}
        async for record in records:
            # The key first: of millions of results only those of a few tasks need to be read.
            if record.key in keys:
                _learn_result(record.value, history)


def _learn_result(value: bytes | None, history: History) -> None:
    try:
        result: Mapping[str, Any] = decode_result(value)
    except UnreadableRecord:
        return
    task_id, generation = result["task_id"], result.get("generation")
    if type(generation) is not int:
        return
    history.saw(task_id, generation)
    if result.get("final") is True and result.get("state") == State.SUCCEEDED.word:
        history.succeeded[task_id] = min(generation, history.succeeded.get(task_id, generation))
