"""Committed offsets as a coordinator tells them, with the error that answers for the whole group.

aiokafka 0.14 looks at the errors of partitions alone. A coordinator that is loading, or has moved, answers with one error and no
partition: taken for a group without offsets, everything would be read again from its beginning.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

_NONE = -1
_AGAIN_S = 0.1


def offsets_in(response: Any) -> dict[TopicPartition, int]:
    """Return the offsets that an answer holds, none for partitions without; raises the KafkaError that it tells."""
    # The first two versions of the answer have no error of the group's.
    codes = {getattr(response, "error_code", 0)}
    found: dict[TopicPartition, int] = {}
    for topic, partitions in response.topics:
        for partition, offset, _metadata, code in partitions:
            codes.add(code)
            if offset != _NONE:
                found[TopicPartition(topic, partition)] = offset
    for code in sorted(codes):
        if code:
            raise for_code(code)(f"committed offsets are not told: error {code}")
    return found


async def of_the_group(consumer: AIOKafkaConsumer, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return what a consumer's group has committed; asks for as long as the coordinator is not ready to tell.

    Raises KafkaError where asking again cannot help.
    """
    coordinator: Any = consumer._coordinator
    topics = defaultdict(list)
    for tp in tps:
        topics[tp.topic].append(tp.partition)
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            return offsets_in(
                await coordinator._send_req(OffsetFetchRequest(coordinator.group_id, list(topics.items())))
            )
        except KafkaError as error:
            if isinstance(error, NotCoordinatorForGroupError):
                coordinator.coordinator_dead()
            elif not error.retriable:
                raise
            await asyncio.sleep(_AGAIN_S)


async def of_any_group(admin: Any, group: str, coordinator_id: int) -> dict[TopicPartition, int]:
    """Return all that a group has committed; raises the KafkaError that the coordinator tells."""
    return offsets_in(await admin._send_request(OffsetFetchRequest(group, None), coordinator_id))
