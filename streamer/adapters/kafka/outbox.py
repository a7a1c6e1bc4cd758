"""The outbox on Kafka: turns emits and changes into records, and returns when they are acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamer.adapters.kafka.producer import DurableProducer
from streamer.core.claims import ClaimEntry, pack_claim
from streamer.core.emit import Emit
from streamer.core.entry import Entry, pack
from streamer.core.lane_memory import LaneMemory, pack_lane
from streamer.ports import Change
from streamer.wire.outgoing import OutRecord


class KafkaOutbox:
    """Implements the outbox by a producer of its own; ``encode`` knows topics, keys and formats.

    ``on_logged`` is told of each run of changes: partition, first offset, last offset.
    """

    def __init__(
        self,
        producer: DurableProducer,
        encode: Callable[[Emit], OutRecord],
        changelog: str,
        on_logged: Callable[[int, int, int], None],
    ) -> None:
        self._producer = producer
        self._encode = encode
        self._changelog = changelog
        self._on_logged = on_logged

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Write all; raises Abandoned when the lease is lost first."""
        await self._producer.write([self._encode(emit) for emit in emits])

    async def log(self, changes: Sequence[Change]) -> None:
        """Append to the table's changelog; raises Abandoned when the lease is lost first."""
        records = [OutRecord(self._changelog, _value(value), key, number) for number, key, value in changes]
        receipt = await self._producer.write(records)
        for partition, first, last in receipt.ends():
            self._on_logged(partition, first, last)


def _value(value: Entry | ClaimEntry | LaneMemory | None) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, LaneMemory):
        return pack_lane(value)
    return pack(value) if isinstance(value, Entry) else pack_claim(value)
