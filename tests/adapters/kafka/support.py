"""What the tests on Kafka share: a producer's and an admin's view of topics, from outside the product."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from streamer.adapters.prometheus.meter import PrometheusMeter
from tests.support.broker import administering

Record = tuple[bytes | None, bytes | None, int]
"""Key, value and partition."""


def counted(meter: PrometheusMeter, name: str, **labels: str) -> float:
    """Return what a counter stands at."""
    return meter.registry.get_sample_value(f"streamer_{name}_total", labels) or 0.0


async def produce(bootstrap: str, topic: str, records: Sequence[Record], **options: Any) -> list[int]:
    """Append records, acknowledged; return their offsets."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, **options) as producer:
        sent = [await producer.send(topic, value, key=key, partition=number) for key, value, number in records]
        return [(await each).offset for each in sent]


async def committed(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """Return a group's committed offsets as an admin sees them."""
    async with administering(bootstrap) as admin:
        found = await admin.list_consumer_group_offsets(group)
        return {(tp.topic, tp.partition): meta.offset for tp, meta in found.items() if meta.offset >= 0}


async def commit_as(bootstrap: str, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Commit offsets for a group that has no members, as an operator would."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        consumer.assign(list(wanted))
        await consumer.commit(wanted)
    finally:
        await consumer.stop()


async def delete_before(bootstrap: str, topic: str, partition: int, offset: int) -> None:
    """Let a partition's log begin at ``offset``."""
    async with administering(bootstrap) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(offset)})


async def records_of(bootstrap: str, topics: Collection[str], *, committed_only: bool = False) -> list[Any]:
    """Return every record of topics, in order within a partition."""
    async with administering(bootstrap) as admin:
        counts = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if committed_only else "read_uncommitted",
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, number) for topic in topics for number in range(counts[topic])]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        out: list[Any] = []
        async with asyncio.timeout(20):
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for batch in (await consumer.getmany(timeout_ms=100)).values():
                    out += batch
        return out
    finally:
        await consumer.stop()
