"""Follows a topic from its first record, for tests that wait until something stands there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

Item = TypeVar("Item")

_POLL_MS = 200


class TopicLog(Generic[Item]):
    """All that has been read of a topic so far, decoded, in the order of reading."""

    def __init__(self, consumer: AIOKafkaConsumer, decode: Callable[[Any], Item]) -> None:
        """Wrap a consumer that is assigned."""
        self.items: list[Item] = []
        self._consumer = consumer
        self._decode = decode

    async def until(self, condition: Callable[[Sequence[Item]], object], within_s: float = 20.0) -> list[Item]:
        """Read on until what was read meets a condition, and return it; AssertionError shows the last of it else."""
        try:
            async with asyncio.timeout(within_s):
                while not condition(self.items):
                    await self._read(_POLL_MS)
        except TimeoutError:
            last = "\n".join(map(str, self.items[-20:]))
            raise AssertionError(
                f"not there after {within_s:g} s; {len(self.items)} records, the last:\n{last}"
            ) from None
        return self.items

    async def to_end(self) -> list[Item]:
        """Read what stands there now, and return all of it."""
        tps = list(self._consumer.assignment())
        ends = await self._consumer.end_offsets(tps)
        while any([await self._consumer.position(tp) < ends[tp] for tp in tps]):
            await self._read(_POLL_MS)
        return self.items

    async def _read(self, timeout_ms: int) -> None:
        batches = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=10_000)
        for batch in batches.values():
            self.items += [self._decode(record) for record in batch]


@asynccontextmanager
async def topic_log(
    bootstrap: str, topic: str, partitions: int, decode: Callable[[Any], Item]
) -> AsyncIterator[TopicLog[Item]]:
    """Follow a topic; the group-less consumer ends with the context."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    consumer.assign([TopicPartition(topic, number) for number in range(partitions)])
    await consumer.start()
    try:
        yield TopicLog(consumer, decode)
    finally:
        await consumer.stop()
