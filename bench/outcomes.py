"""What ``results`` tells of a measurement: the outcomes counted, ends apart from what was put off."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streamer.wire.result_record import decode_result

_POLL_MS = 200
#: Each holds some 1.2 kB.
_AT_ONCE = 5_000
Offsets = Mapping[TopicPartition, int]


class Outcomes:
    """Results so far. A deferral is told too, and is no end."""

    def __init__(self) -> None:
        """Begin with none."""
        self.by_outcome: Counter[str] = Counter()
        self.ended: set[str] = set()
        self.durations_ms: list[float] = []

    def take(self, value: bytes) -> None:
        """Count one record."""
        result = decode_result(value)
        self.by_outcome[result["outcome"]] += 1
        if result["final"]:
            self.ended.add(result["task_id"])
        if "duration_ms" in result:
            self.durations_ms.append(result["duration_ms"])

    def told(self) -> dict[str, Any]:
        """Return the figures."""
        put_off = self.by_outcome["deferred"]
        return {"results": dict(sorted(self.by_outcome.items())), "ended": len(self.ended), "put_off": put_off}


async def ends_of(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> dict[TopicPartition, int]:
    """Return where a topic ends now."""
    ends: dict[TopicPartition, int] = await consumer.end_offsets([TopicPartition(topic, n) for n in range(partitions)])
    return ends


async def outcomes_since(bootstrap: str, starts: Offsets, tasks: int, within_s: float) -> Outcomes:
    """Read what was told from there on, until so many tasks have ended, or for a while: who asks sees how many have."""
    found, until_s = Outcomes(), time.monotonic() + within_s
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=50)
    consumer.assign(list(starts))
    await consumer.start()
    try:
        for tp, offset in starts.items():
            consumer.seek(tp, offset)
        while len(found.ended) < tasks and time.monotonic() < until_s:
            for batch in (await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)).values():
                for record in batch:
                    found.take(record.value)
        return found
    finally:
        await consumer.stop()
