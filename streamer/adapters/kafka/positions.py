"""Committed offsets as an admin sees them: what intake has passed, and groups that have none (RULES 11)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streamer.adapters.kafka import offset_fetch
from streamer.adapters.kafka.clients import partition_counts

_ANSWER_S = 30.0
_AGAIN_S = 0.1
_CLOSE_S = 2.0


async def committed(client_options: Mapping[str, Any], group: str) -> dict[TopicPartition, int]:
    """Return a group's committed offsets; TimeoutError when it has no coordinator, or gets no answer, for half a minute."""
    admin = AIOKafkaAdminClient(**client_options)
    try:
        async with asyncio.timeout(_ANSWER_S):
            await admin.start()
            # By its id, found here: a cluster makes the topic of its offsets when the first group is asked for.
            while True:
                try:
                    return await offset_fetch.of_any_group(admin, group, int(await admin.find_coordinator(group)))
                except KafkaError as error:
                    if not error.retriable:
                        raise
                    await asyncio.sleep(_AGAIN_S)
    finally:
        with suppress(KafkaError, OSError):
            await asyncio.wait_for(admin.close(), _CLOSE_S)


async def never_read(client_options: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the topics that hold records although their group has no committed offset on any of their partitions."""
    unknown: list[str] = []
    for group, topics in groups.items():
        known = {tp.topic for tp in await committed(client_options, group)}
        unknown += [topic for topic in topics if topic not in known]
    if not unknown:
        # A consumer that is stopped as soon as it is started raises CancelledError (aiokafka 0.14).
        return []
    # A consumer that subscribes to nothing knows no topic's partitions: they are asked for.
    counts = await partition_counts(client_options, unknown)
    consumer = AIOKafkaConsumer(**client_options)
    try:
        async with asyncio.timeout(_ANSWER_S):
            await consumer.start()
            return [topic for topic in unknown if await _holds_records(consumer, topic, counts[topic])]
    finally:
        with suppress(KafkaError, OSError):
            await asyncio.wait_for(consumer.stop(), _CLOSE_S)


async def _holds_records(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> bool:
    tps = [TopicPartition(topic, number) for number in range(partitions)]
    first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    return any(end[tp] > first[tp] for tp in tps)
