"""Waits for the answers to commands, and says them in words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from streamer.adapters.kafka.log_reader import Span, read_log
from streamer.cli.cluster import Installation
from streamer.cli.tasks_state import call_of, is_answer
from streamer.core.command import Command, Verb
from streamer.wire.result_record import decode_result
from streamer.wire.unreadable import UnreadableRecord

_DONE = {Verb.UPDATE: "updated", Verb.RUN_NOW: "runs now", Verb.RETRY: "sent again", Verb.REPLAY: "replayed"}
_END = 1 << 62


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a command: ``applied`` is None while nothing is known of it."""

    task_id: str
    applied: bool | None
    text: str
    command_id: str | None = None
    generation: int | None = None
    due_at: str | None = None


class Answers:
    """The answers on `results` from the moment it was opened; a command is expected before it is written, one a task."""

    def __init__(self) -> None:
        self._pending: dict[str, Command] = {}
        self._tasks: set[str] = set()
        self._calls: dict[str, str] = {}
        self._found: asyncio.Queue[Told | BaseException] = asyncio.Queue()

    def expect(self, command: Command) -> None:
        """Listen for the answer to a command."""
        self._pending[command.command_id] = command
        self._tasks.add(command.task_id)

    async def take(self, within_s: float) -> AsyncIterator[Told]:
        """Yield answers as they come, until every command has one or the time is over; those without come last."""
        until_s = time.monotonic() + within_s
        while self._pending or not self._found.empty():
            try:
                async with asyncio.timeout(until_s - time.monotonic()):
                    found = await self._found.get()
            except TimeoutError:
                break
            if isinstance(found, BaseException):
                raise found
            yield found
        for command in self._pending.values():
            text = f"no answer within {within_s:g} s; is a worker running? Look with `streamer tasks show {command.task_id}`"
            yield Told(command.task_id, None, text, command.command_id)

    async def follow(self, place: Installation, partitions: Iterable[int], ready: asyncio.Event) -> None:
        """Read results from now on."""
        span = Span(offsets=dict.fromkeys(partitions, _END), follow=True)
        try:
            async with aclosing(read_log(place.options, place.topics.results, span, ready.set)) as records:
                async for record in records:
                    if (record.key or b"").decode("utf-8", "replace") in self._tasks:
                        with suppress(UnreadableRecord):
                            self.hear(decode_result(record.value))
        except Exception as error:
            self._found.put_nowait(error)
            ready.set()

    def hear(self, result: Mapping[str, Any]) -> None:
        """Take in a result of one of the tasks."""
        task_id = result["task_id"]
        if (call := call_of(result)) is not None:
            self._calls[task_id] = call
        command = self._pending.get(result.get("command_id") or "")
        if command is None or not is_answer(result):
            return
        del self._pending[command.command_id]
        self._found.put_nowait(said(command, result, self._calls.get(task_id)))
        self._tasks.discard(task_id)
        self._calls.pop(task_id, None)


@asynccontextmanager
async def answers(place: Installation, partitions: Iterable[int]) -> AsyncIterator[Answers]:
    """Listen to these partitions of `results`: everything written from here on is heard."""
    opened, ready = Answers(), asyncio.Event()
    following = asyncio.create_task(opened.follow(place, partitions, ready))
    try:
        await ready.wait()
        yield opened
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


def said(command: Command, result: Mapping[str, Any], call: str | None) -> Told:
    """Return an answer in words; ``call`` is what a call came to that ended while the command waited for it."""
    why = result.get("why")
    reason, detail, due_at = (
        why.get(name) if isinstance(why, dict) else None for name in ("reason", "detail", "due_at")
    )
    generation = result.get("generation")
    about = command.command_id, generation, due_at
    if reason == "conflict":
        return Told(command.task_id, False, f"not: {detail}", *about)
    ended = f"; the call on the wire has ended with {call}" if call else ""
    if command.verb is Verb.CANCEL:
        kept = "kept: the task has not been seen yet, and will be cancelled when it comes"
        return Told(command.task_id, True, f"cancelled{ended}" if reason == "cancelled" else kept, *about)
    text = f"{_DONE[command.verb]}: generation {generation}"
    if result.get("lane") not in (None, command.lane):
        text += f", moved to {result['lane']}"
    if command.verb is Verb.UPDATE and due_at is not None:
        text += f", due {due_at}"
    return Told(command.task_id, True, text + ended, *about)
