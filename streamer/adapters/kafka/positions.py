"""Committed offsets as an admin sees them: what intake has passed, and groups that have none (RULES 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

_COORDINATOR_S = 30.0
_AGAIN_S = 0.2

async def committed(client_options: Mapping[str, Any], group: str) -> dict[TopicPartition, int]:
    """Return a group's committed offsets."""
    admin = AIOKafkaAdminClient(**client_options)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group)
        return {tp: meta.offset for tp, meta in found.items() if meta.offset >= 0}
    finally:
        await admin.close()


async def never_read(client_options: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the topics that hold records although their group has no committed offset on any of their partitions."""
    consumer = AIOKafkaConsumer(**client_options)
    await consumer.start()
    try:
        found: list[str] = []
        for group, topics in groups.items():
            known = {tp.topic for tp in await committed(client_options, group)}
            found += [topic for topic in topics if topic not in known and await _holds_records(consumer, topic)]
        return found
    finally:
        await consumer.stop()


async def _holds_records(consumer: AIOKafkaConsumer, topic: str) -> bool:
    tps = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    return any(end[tp] > first[tp] for tp in tps)
