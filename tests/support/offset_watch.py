"""Watches committed offsets from outside, so that a story can tell that none ever went back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

_SAMPLE_S = 0.25


class OffsetWatch:
    """The newest committed offset of each group and partition, and every step back that was seen."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.newest: dict[tuple[str, TopicPartition], int] = {}
        self.regressions: list[str] = []
        self.samples = 0

    def note(self, group: str, committed: dict[TopicPartition, int]) -> None:
        """Compare a sample with what was seen before."""
        self.samples += 1
        for tp, offset in committed.items():
            before = self.newest.get((group, tp), 0)
            if offset < before:
                self.regressions.append(f"{group} {tp.topic}-{tp.partition}: {before} → {offset}")
            self.newest[group, tp] = offset


@asynccontextmanager
async def watched_offsets(bootstrap: str, groups: Sequence[str]) -> AsyncIterator[OffsetWatch]:
    """Sample the groups' committed offsets four times a second while the context lasts, and once more at its end."""
    watch = OffsetWatch()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()

    async def sample() -> None:
        for group in groups:
            found = await admin.list_consumer_group_offsets(group)
            watch.note(group, {tp: meta.offset for tp, meta in found.items()})

    async def sample_on() -> None:
        while True:
            await sample()
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
