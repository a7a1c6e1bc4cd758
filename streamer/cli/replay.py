"""Replays dead letters: which of them may go, and one command on `control` for each, at a steady rate."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from streamer.adapters.kafka.appender import Appended, Appender
from streamer.adapters.kafka.clients import partition_counts
from streamer.adapters.kafka.log_reader import Span
from streamer.adapters.kafka.shares import RecordTooLarge
from streamer.cli.cluster import Installation
from streamer.cli.letters import History, Letter, Wanted, learn, read_letters, span_of
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.core.identity import task_digest
from streamer.core.partitioning import partition_of
from streamer.wire.command_record import VERSION, encode_command
from streamer.wire.header_names import VERSION as VERSION_HEADER
from streamer.wire.outgoing import OutRecord
from streamer.wire.sealed import Sealer

BY = "cli"
UNREADABLE = "no task: the record could not be read"
FAILED = "failed"


@dataclass(slots=True)
class Plan:
    """What a replay will do: the coordinates that go, and why others do not. The letters themselves stay on Kafka."""

    matched: int = 0
    #: Coordinates of those that go, each with the generation that its command expects to find.
    go: dict[tuple[int, int], int] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    #: Why each dead letter that matches and does not go stays, by its coordinates.
    reasons: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def first(self) -> dict[int, int]:
        """The first offset of each partition with something to tell."""
        first: dict[int, int] = {}
        for partition, offset in (*self.go, *self.reasons):
            first[partition] = min(offset, first.get(partition, offset))
        return first


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one dead letter: ``why_not`` for one that stays, ``at`` for a command that was written."""

    letter: Letter
    why_not: str | None = None
    command_id: str | None = None
    at: Appended | None = None


async def make_plan(place: Installation, wanted: Wanted, *, force: bool) -> Plan:
    """Return which dead letters go; forced, all that carry a task, each once."""
    plan, history = Plan(), History()
    found: list[tuple[int, int, str | None, int]] = []
    async with aclosing(read_letters(place, span_of(wanted))) as letters:
        async for letter in letters:
            if letter.task_id is not None:
                history.saw(letter.task_id, letter.generation)
            if wanted.matches(letter):
                found.append((letter.partition, letter.offset, letter.task_id, letter.generation))
    await learn(place, {task_id for _, _, task_id, _ in found if task_id is not None}, history)
    plan.matched = len(found)
    meant: set[tuple[str, int]] = set()
    for partition, offset, task_id, generation in found:
        why_not = _why_not(history, task_id, generation, meant, force=force)
        if why_not is None:
            # A forced one may have gone on since: its command must name the generation that the task has now.
            newest = history.newest.get(task_id, generation) if force and task_id is not None else generation
            plan.go[partition, offset] = max(generation, newest)
        else:
            plan.skipped[why_not] += 1
            plan.reasons[partition, offset] = why_not
    return plan


def _why_not(
    history: History, task_id: str | None, generation: int, meant: set[tuple[str, int]], *, force: bool
) -> str | None:
    if task_id is None:
        return UNREADABLE
    if (task_id, generation) in meant:
        # A worker that dies between a dead letter and its state writes the dead letter again.
        return "written twice"
    why_not = None if force else history.why_not(task_id, generation)
    if why_not is None:
        meant.add((task_id, generation))
    return why_not


async def carry_out(
    place: Installation, plan: Plan, *, rate_per_s: float, force: bool, dry_run: bool
) -> AsyncGenerator[Told, None]:
    """Write a command for each dead letter of the plan, and yield what became of each that matched, as it happens."""
    control = place.topics.control
    partitions = (await partition_counts(place.options, [control]))[control]
    settings = place.settings
    appender = Appender(
        place.options,
        deadline_s=settings.kafka.produce_timeout_s,
        max_record_bytes=settings.topics.max_message_bytes,
    )
    pace = Pace(rate_per_s, time.monotonic)
    try:
        async with aclosing(read_letters(place, Span(offsets=plan.first))) as letters:
            async for letter in letters:
                coordinates = letter.partition, letter.offset
                if (why_not := plan.reasons.get(coordinates)) is not None:
                    yield Told(letter, why_not)
                elif coordinates in plan.go and letter.content and letter.content.delivery:
                    expected, now_ms = plan.go[coordinates], time.time_ns() // 1_000_000
                    command = replay_command(letter.content.delivery, expected, now_ms, force=force)
                    if dry_run:
                        yield Told(letter, command_id=command.command_id)
                        continue
                    await pace.wait()
                    yield await _write(appender, letter, command, control, partitions, place.sealer)
    finally:
        await appender.close()


def replay_command(delivery: Delivery, expect_generation: int, now_ms: int, *, force: bool) -> Command:
    """Return the command; the same dead letter makes the same command id, unless it is forced."""
    name = f"replay\0{delivery.task_id}\0{delivery.generation}"
    if force:
        name += f"\0{now_ms}"
    return Command(
        command_id="cmd_" + task_digest(name).hex(),
        verb=Verb.REPLAY,
        task_id=delivery.task_id,
        lane=delivery.lane,
        expect_generation=expect_generation,
        delivery=delivery,
        by=BY,
        at_ms=now_ms,
        force=force,
    )


def control_record(
    command: Command, control: str, partitions: int, shard: int, sealer: Sealer | None = None
) -> OutRecord:
    """Return a command as `control` carries it, in the partition where the task's shard of the lane is owned."""
    return OutRecord(
        control,
        encode_command(command, sealer),
        command.lane.encode(),
        partition_of(command.lane, partitions, shard),
        [(VERSION_HEADER, b"%d" % VERSION)],
    )


class Pace:
    """Spreads commands evenly; time lost to a slow broker is not made up for by a burst."""

    def __init__(self, rate_per_s: float, clock: Callable[[], float]) -> None:
        self._interval_s = 1 / rate_per_s
        self._clock = clock
        self._next_s = clock()

    async def wait(self) -> None:
        """Return when the next command may go; Ctrl-C ends the wait."""
        now_s = self._clock()
        if now_s < self._next_s:
            await asyncio.sleep(self._next_s - now_s)
        self._next_s = max(now_s, self._next_s) + self._interval_s


async def _write(
    appender: Appender, letter: Letter, command: Command, control: str, partitions: int, sealer: Sealer | None
) -> Told:
    shard = command.delivery.shard if command.delivery else 0
    try:
        (at,) = await appender.append([control_record(command, control, partitions, shard, sealer)])
    except RecordTooLarge as error:
        return Told(letter, f"{FAILED}: {error}")
    return Told(letter, command_id=command.command_id, at=at)
