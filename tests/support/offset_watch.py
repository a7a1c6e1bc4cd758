"""Watches committed offsets from outside, so that a story can tell that none ever went back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

_SAMPLE_S = 0.25
#: A coordinator that is gone must not hold up the samples of the others for ever.
_ANSWER_S = 5.0
#: As aiokafka has it.
_USUAL_S = 40.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A committed offset that was not what it had been; ``at_ms`` is when the answer was there."""

    at_ms: int
    group: str
    topic: str
    partition: int
    offset: int


class OffsetWatch:
    """The newest committed offset of each group and partition, and every step back that was seen."""

    def __init__(self, tell: Callable[[Sample], None] | None = None) -> None:
        """Begin with nothing seen; ``tell`` is told of each offset that has changed."""
        self._tell = tell
        self.newest: dict[tuple[str, TopicPartition], int] = {}
        self.regressions: list[str] = []
        self.samples = 0
        #: Samples that the broker did not answer.
        self.unanswered = 0

    def note(self, group: str, committed: dict[TopicPartition, int]) -> None:
        """Compare a sample with what was seen before."""
        self.samples += 1
        at_ms = time.time_ns() // 1_000_000
        for tp, offset in committed.items():
            before = self.newest.get((group, tp), 0)
            if self._tell is not None and offset != before:
                self._tell(Sample(at_ms, group, tp.topic, tp.partition, offset))
            if offset < before:
                self.regressions.append(f"{group} {tp.topic}-{tp.partition}: {before} → {offset}")
            self.newest[group, tp] = offset


@asynccontextmanager
async def watched_offsets(
    bootstrap: str,
    groups: Sequence[str],
    tell: Callable[[Sample], None] | None = None,
    *,
    patient: bool = False,
) -> AsyncIterator[OffsetWatch]:
    """Sample the groups' committed offsets four times a second while the context lasts, and once more at its end.

    ``patient`` goes on where the broker does not answer, for runs in which that is the fault.
    """
    watch = OffsetWatch(tell)
    # By the client's own time limit: a client that is cancelled while it connects leaves the connection open.
    answer_s = _ANSWER_S if patient else _USUAL_S
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(answer_s * 1000))
    await admin.start()

    async def sample() -> None:
        for group in groups:
            found = await admin.list_consumer_group_offsets(group)
            watch.note(group, {tp: meta.offset for tp, meta in found.items()})

    async def sample_on() -> None:
        while True:
            try:
                await sample()
            except (KafkaError, OSError, TimeoutError):
                if not patient:
                    raise
                watch.unanswered += 1
            await asyncio.sleep(_SAMPLE_S)

    task = asyncio.create_task(sample_on())
    try:
        yield watch
        # A sampler that has failed has seen nothing: its error is the test's.
        if task.done():
            task.result()
        await sample()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await admin.close()
