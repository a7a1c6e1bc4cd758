"""Where a consumer begins to read its partitions: at what is committed, clamped to the log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

log = logging.getLogger(__name__)


async def starting_offsets(
    consumer: AIOKafkaConsumer, tps: Sequence[TopicPartition], *, from_latest: bool
) -> dict[TopicPartition, int]:
    """Return the offset to begin at for each partition of the consumer's group.

    Without a committed offset it is the log's end (``from_latest``) or its beginning. One outside the log is the beginning:
    the log was cut, or the topic made anew, and its records are other tasks (RULES 31).
    """
    if not tps:
        return {}
    coordinator: Any = consumer._coordinator
    found = await coordinator.fetch_committed_offsets(tps)
    first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    starts: dict[TopicPartition, int] = {}
    for tp in tps:
        committed = found[tp].offset if tp in found else -1
        start = committed if committed >= 0 else (end if from_latest else first)[tp]
        if not first[tp] <= start <= end[tp]:
            log.warning("%s: committed offset %s is outside the log %s..%s", tp, start, first[tp], end[tp])
            start = first[tp]
        starts[tp] = start
    return starts
