"""The tiers on Kafka, as hold reads and writes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamer.adapters.kafka.group_reader import GroupReader, ReaderOptions
from streamer.adapters.kafka.lag_watch import LagWatch
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.kafka.stands import Stand
from streamer.adapters.kafka.starts import tell_gone
from streamer.core.held import HeldRecord
from streamer.core.window import HoleError, Window
from streamer.flow.hold import Hold, Place, Relay
from streamer.ports import Abandoned, Meter
from streamer.wire.delivery_headers import hold_headers, passed_on
from streamer.wire.outgoing import OutRecord
from streamer.wire.topics import Topics
from streamer.wire.unreadable import UnreadableRecord

log = logging.getLogger(__name__)

_AGAIN_S = 1.0
_UNBOUNDED = 1 << 62


class KafkaTierLog:
    """Implements hold's view of the tiers by one consumer for all of them."""

    def __init__(
        self,
        options: ReaderOptions,
        topics: Topics,
        *,
        deliver_group: str,
        producer: DurableProducer,
        lease: HeartbeatLease,
        meter: Meter,
        unreadable: Callable[[Any, UnreadableRecord], OutRecord],
    ) -> None:
        self._options = options
        self._topics = topics
        self._producer = producer
        self._lease = lease
        self._meter = meter
        self._unreadable = unreadable
        self._tier_of = {topics.retry(tier.name): tier.name for tier in topics.tiers}
        self._windows: dict[TopicPartition, Window] = {}
        self._lag = LagWatch(options.client_options, topics.due, topics.partitions, deliver_group)
        self._reader: GroupReader | None = None
        #: Set while the group has given us our share, be it nothing.
        self.joined = asyncio.Event()

    async def run(self, hold: Hold) -> None:
        """Run hold on the tiers until cancelled; after an error the group is joined anew."""
        while True:
            reader = self._reader = GroupReader(
                self._options, self._lease, self._committable, self._assigned, lambda: self._revoked(hold)
            )
            watch = asyncio.create_task(self._lag.run(reader.consumer.end_offsets))
            try:
                async with reader.joined():
                    await hold.run()
            except (KafkaError, Abandoned, OSError) as error:
                log.warning("hold starts again: %r", error)
                await self._producer.abort()
                self._revoked(hold)
                await asyncio.sleep(_AGAIN_S)
            finally:
                watch.cancel()

    def stand(self, hold: Hold) -> Stand:
        """Return how far hold is, for its watchdog; what it need not read yet is not among what it owes."""
        wanted = {self._tp(place) for place in hold.wanted()}
        windows = list(self._windows.items())
        moved = sum(window.finished + window.next_offset for _, window in windows)
        # A share of the group is owed too: one that never comes would look like having nothing to do.
        in_hand = hold.owed() + (not self.joined.is_set())
        return Stand(moved, in_hand, {tp: window.next_offset for tp, window in windows if tp in wanted})

    def places(self) -> Collection[Place]:
        """Return the partitions that are ours now."""
        return [self._place(tp) for tp in self._windows]

    async def read(self, wanted: Collection[Place], timeout_ms: int) -> Sequence[tuple[Place, HeldRecord]]:
        """Read on in the wanted partitions; the others stay paused."""
        assert self._reader is not None
        tps = [tp for place in wanted if (tp := self._tp(place)) in self._windows]
        self._reader.only(tps)
        batches = await self._reader.consumer.getmany(*tps, timeout_ms=timeout_ms, max_records=2_000) if tps else {}
        out = []
        for tp, batch in batches.items():
            out += [(self._place(tp), held) for held in await self._take(tp, batch)]
        return out

    async def write(self, relays: Sequence[Relay]) -> None:
        """Write records on, acknowledged."""
        await self._producer.write([self._out(relay) for relay in relays])

    def finish(self, place: Place, offset: int) -> None:
        """Mark a record done."""
        window = self._windows.get(self._tp(place))
        if window is not None and offset < window.next_offset:
            window.finish(offset)

    def crowded(self, partition: int) -> bool:
        """Tell whether deliver is far behind on a partition of ``due``."""
        return self._lag.crowded(partition)

    async def _take(self, tp: TopicPartition, batch: Sequence[Any]) -> list[HeldRecord]:
        window = self._windows.get(tp)
        out: list[HeldRecord] = []
        if window is None:
            return out
        try:
            for record in batch:
                if window.take(record.offset, len(record.value or b"")):
                    held = await self._held(record, window)
                    out += [held] if held else []
        except HoleError as hole:
            await self._read_again(tp, window, hole)
        return out

    async def _held(self, record: Any, window: Window) -> HeldRecord | None:
        try:
            found = hold_headers(record.headers)
        except UnreadableRecord as error:
            # Somebody else wrote on a tier: kept as a dead letter, so that the partition goes on.
            await self._producer.write([self._unreadable(record, error)])
            window.finish(record.offset)
            return None
        size = len(record.value or b"") + 500
        return HeldRecord(record.offset, found.release_at_ms, found.due_at_ms, size, record)

    async def _read_again(self, tp: TopicPartition, window: Window, hole: HoleError) -> None:
        assert self._reader is not None
        self._meter.count("offset_holes", label=tp.topic)
        first = (await self._reader.consumer.beginning_offsets([tp]))[tp]
        if first > window.next_offset:
            tell_gone(self._meter, tp, window.next_offset, first)
            window.skip_to(first, "the log begins there")
        self._reader.consumer.seek(tp, max(first, hole.expected))

    def _out(self, relay: Relay) -> OutRecord:
        record = relay.record.record
        topic = self._topics.due if relay.tier is None else self._topics.retry(relay.tier)
        headers = passed_on(record.headers, None if relay.tier is None else relay.release_at_ms)
        return OutRecord(topic, record.value, record.key, relay.partition, headers)

    def _committable(self) -> Mapping[TopicPartition, int]:
        return {tp: window.committable for tp, window in self._windows.items()}

    def _assigned(self, starts: Mapping[TopicPartition, int]) -> None:
        self.joined.set()
        # Hold bounds what it keeps by itself, partition by partition.
        self._windows = {tp: Window(start, _UNBOUNDED, _UNBOUNDED) for tp, start in starts.items()}

    def _revoked(self, hold: Hold) -> None:
        hold.forget(self.places())
        self._windows = {}
        self.joined.clear()

    def _place(self, tp: TopicPartition) -> Place:
        return self._tier_of[tp.topic], tp.partition

    def _tp(self, place: Place) -> TopicPartition:
        return TopicPartition(self._topics.retry(place[0]), place[1])
