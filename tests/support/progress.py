"""How far a group has come: what stands on its topics beyond its committed offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

_LOOK_S = 0.1


async def unfinished(
    bootstrap: str, partitions: int, topics_by_group: Mapping[str, Sequence[str]]
) -> dict[TopicPartition, range]:
    """Return the offsets that no group has committed, for each partition that has some."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await admin.start()
    await consumer.start()
    try:
        left: dict[TopicPartition, range] = {}
        for group, topics in topics_by_group.items():
            tps = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
            ends = await consumer.end_offsets(tps)
            committed = await admin.list_consumer_group_offsets(group)
            spans = {tp: range(committed[tp].offset if tp in committed else 0, ends[tp]) for tp in tps}
            left |= {tp: span for tp, span in spans.items() if span}
        return left
    finally:
        await consumer.stop()
        await admin.close()


async def all_committed(
    bootstrap: str, partitions: int, topics_by_group: Mapping[str, Sequence[str]], within_s: float = 10.0
) -> None:
    """Return once the groups have committed all that stands on their topics."""
    left: dict[TopicPartition, range] = {}
    try:
        async with asyncio.timeout(within_s):
            while left := await unfinished(bootstrap, partitions, topics_by_group):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)  # what is committed gives no signal
    except TimeoutError:
        raise AssertionError(f"not committed after {within_s:g} s: {left}") from None
