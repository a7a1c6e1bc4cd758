"""Appends records for a command: each acknowledged, none written a second time behind the caller's back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamer.adapters.kafka.producer import DurableProducer
from streamer.ports import Abandoned
from streamer.wire.outgoing import OutRecord


class NotAcknowledged(Exception):
    """The broker did not acknowledge in time: the records may have been written or not."""

    def __init__(self, records: int, deadline_s: float) -> None:
        super().__init__(f"{records} records not acknowledged within {deadline_s:g} s: they may be written or not")
        self.records = records


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a record stands, and its timestamp by the topic's clock."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Appender:
    """An idempotent producer with acks from all replicas that gives up at its deadline.

    A worker writes again until it is acknowledged. A command must not: what it sends may be a task without an id,
    and written twice it is two tasks. The person who runs it decides.
    """

    def __init__(
        self, options: Mapping[str, Any], *, deadline_s: float = 30.0, max_record_bytes: int = 4 * 1024 * 1024
    ) -> None:
        self._deadline_s = deadline_s
        self._tries: Iterator[bool] = iter(())
        self._producer = DurableProducer(
            options,
            deadline_s=deadline_s,
            max_record_bytes=max_record_bytes,
            may_write=lambda: next(self._tries, False),
        )

    async def append(self, records: Sequence[OutRecord]) -> list[Appended]:
        """Write all, in order per partition; raises NotAcknowledged, and RecordTooLarge when one of them is."""
        if not records:
            return []
        self._tries = iter((True,))
        try:
            receipt = await self._producer.write(records)
        except Abandoned:
            raise NotAcknowledged(len(records), self._deadline_s) from None
        return [Appended(each.topic, each.partition, each.offset, each.timestamp_ms) for each in receipt.records()]

    async def close(self) -> None:
        """Close the connections; everything has been acknowledged or given up."""
        await self._producer.close()
