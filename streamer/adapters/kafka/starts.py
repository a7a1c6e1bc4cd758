"""Where a consumer begins to read its partitions: at what is committed, clamped to the log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamer.adapters.kafka import offset_fetch
from streamer.ports import Meter

log = logging.getLogger(__name__)


async def starting_offsets(
    consumer: AIOKafkaConsumer, tps: Sequence[TopicPartition], *, from_latest: bool, meter: Meter | None
) -> dict[TopicPartition, int]:
    """Return the offset to begin at for each partition of the consumer's group; what is gone by then is told.

    Without a committed offset it is the log's end (``from_latest``) or its beginning. One outside the log is the beginning:
    the log was cut, or the topic made anew, and its records are other tasks (RULES 31).
    """
    if not tps:
        return {}
    found = await offset_fetch.of_the_group(consumer, tps)
    first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    starts: dict[TopicPartition, int] = {}
    for tp in tps:
        start = found.get(tp, (end if from_latest else first)[tp])
        if start < first[tp]:
            tell_gone(meter, tp, start, first[tp])
            start = first[tp]
        elif start > end[tp]:
            log.warning("%s: committed offset %s is outside the log %s..%s", tp, start, first[tp], end[tp])
            start = first[tp]
        starts[tp] = start
    return starts


def tell_gone(meter: Meter | None, tp: Any, wanted: int, first: int) -> None:
    """Raise the alarm for records that the log lost before they were read: it begins at ``first``, not at ``wanted``."""
    log.error("%s-%s: the log now begins at %s; %s records are gone", tp.topic, tp.partition, first, first - wanted)
    if meter is not None:
        meter.count("offsets_gone", first - wanted, label=tp.topic)
