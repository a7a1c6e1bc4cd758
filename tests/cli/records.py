"""Records of the kinds that workers write, for commands that read them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from streamer.adapters.kafka.appender import Appended, Appender
from streamer.adapters.kafka.clients import client_options
from streamer.adapters.kafka.log_reader import LogRecord, read_log
from streamer.core.delivery import Delivery, Origin
from streamer.core.emit import Because, DeadLetterOf, Emit, ResultOf, UnreadableOf
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Exchange, Outcome, Response
from streamer.core.request import Request
from streamer.wire.outgoing import Encoder, OutRecord
from streamer.wire.topics import Topics

ORIGIN = Origin("streamer.requests", 1, 17, 1_700_000_000_000)


def now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


def a_delivery(task_id: str, lane: str = "example.com", generation: int = 1) -> Delivery:
    """Return a task that has been tried."""
    return Delivery(
        task_id=task_id,
        business="acme",
        business_id=None,
        lane=lane,
        request=Request(
            f"https://{lane}/hook", headers=(("Authorization", "Bearer horse"), ("X-A", "1")), body=b'{"n":1}'
        ),
        origin=ORIGIN,
        accepted_at_ms=now_ms(),
        due_at_ms=now_ms(),
        generation=generation,
        attempt=5,
        seen=True,
    )


def a_result(
    delivery: Delivery, state: State, *, status: int = 500, due_at_ms: int | None = None, detail: str | None = None
) -> ResultOf:
    """Return the result of an attempt that left the task in a state."""
    succeeded = state is State.SUCCEEDED
    return ResultOf(
        task_id=delivery.task_id,
        business=delivery.business,
        business_id=None,
        generation=delivery.generation,
        attempt=delivery.attempt,
        outcome=Outcome.SUCCESS if succeeded else Outcome.SERVER_ERROR,
        error_type=None if succeeded else ErrorType.SERVER_ERROR,
        state=state,
        because=Because("default.5xx", "deliver", reason="retry", due_at_ms=due_at_ms, detail=detail),
        at_ms=now_ms(),
        delivery=delivery,
        exchange=Exchange(Response(status), now_ms(), 12.5),
    )


def a_dead_letter(delivery: Delivery, reason: str = "exhausted") -> DeadLetterOf:
    """Return the dead letter of a task."""
    return DeadLetterOf(delivery, reason, a_result(delivery, State.FAILED), now_ms())


def an_unreadable(value: bytes = b'{"urll": 1}') -> UnreadableOf:
    """Return the dead letter of a record that no task could be made of."""
    return UnreadableOf(
        "streamer.requests", 1, 4, 1_700_000_000_000, b"k", value, (("h", b"\xff"),), "urll", "no field", now_ms()
    )


def write(bootstrap: str, topics: Topics, items: Sequence[Emit | OutRecord]) -> list[Appended]:
    """Write what a worker would write, in order, and return where each stands."""
    encode = Encoder(topics)

    async def append() -> list[Appended]:
        appender = Appender(client_options(bootstrap))
        try:
            records = [item if isinstance(item, OutRecord) else encode(item) for item in items]
            places: list[Appended] = []
            for record in records:
                places += await appender.append([record])
                acknowledged_ms = now_ms()
                while now_ms() == acknowledged_ms:
                    # Two of one millisecond would be shown in the order of their partitions.
                    pass
            return places
        finally:
            await appender.close()

    return asyncio.run(append())


def read(bootstrap: str, topic: str) -> list[LogRecord]:
    """Return what stands on a topic, in the order of partitions and offsets."""

    async def collect() -> list[LogRecord]:
        return [record async for record in read_log(client_options(bootstrap), topic)]

    return sorted(asyncio.run(collect()), key=lambda record: (record.partition, record.offset))
