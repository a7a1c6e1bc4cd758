"""The thread of Faust's consumer: membership, heartbeats, and offsets, with aiokafka built as we need it (RULES 29)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import aiokafka
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.consumer import ensure_TP
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from streamer.adapters.kafka.keeper import FetchOptions, Keeper
from streamer.adapters.kafka.lease import listen
from streamer.adapters.kafka.patience import be_patient
from streamer.adapters.kafka.progress import Progress
from streamer.adapters.kafka.starts import starting_offsets


class _Consumer(Protocol):
    keeper: Keeper
    options: FetchOptions

    def _is_changelog_tp(self, tp: TP) -> bool: ...


class BatchConsumerThread(AIOKafkaConsumerThread):
    """The thread that fetches and keeps the group membership."""

    consumer: _Consumer
    _replaced = False
    _resting: frozenset[TopicPartition] = frozenset()

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        # Faust fixes fetch_max_wait_ms at 1500, which stalls half a second at a time (RULES 29).
        options = self.consumer.options
        self._assignor = self.app.assignor
        return aiokafka.AIOKafkaConsumer(
            group_id=self.app.conf.id,
            group_instance_id=options.instance_id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=options.max_poll_records,
            # Progress is watched by us; the coordinator's own idle rule would evict a worker that rightly waits.
            max_poll_interval_ms=3_600_000,
            max_partition_fetch_bytes=options.max_partition_bytes,
            fetch_max_wait_ms=options.max_wait_ms,
            session_timeout_ms=int(options.session_s * 1000),
            rebalance_timeout_ms=int(options.rebalance_s * 1000),
            heartbeat_interval_ms=int(options.heartbeat_s * 1000),
            request_timeout_ms=int(max(options.rebalance_s, options.session_s) * 1000) + 5_000,
            isolation_level="read_uncommitted",
            **options.client_options,
        )

    async def on_start(self) -> None:
        """Start the consumer, and listen to its heartbeats."""
        await super().on_start()
        be_patient(self._consumer, lambda: len(self._resting))
        coordinator = self._consumer._coordinator
        lease, keeper = self.consumer.keeper.lease, self.consumer.keeper
        reset = coordinator.reset_generation
        listen(coordinator, lease)

        def reset_or_end() -> None:
            static = self.consumer.options.instance_id is not None
            if static and coordinator.generation > 0 and not coordinator._closing.done():
                # A static member that the coordinator does not know has been replaced by one of the same name (RULES 17).
                # It does not join again: it would take the name back, and end the other in its turn.
                self._replaced = True
                lease.end()
                keeper.fenced(
                    "the broker no longer knows this static member: its session ran out, or another took its name"
                )
            if self._replaced:
                coordinator.generation, coordinator.member_id = -1, ""
            else:
                reset()

        coordinator.reset_generation = reset_or_end

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take the join itself as a heartbeat."""
        self.consumer.keeper.lease.begin()
        await super().on_partitions_assigned(assigned, generation_id)

    async def starts(self, tps: Sequence[TP]) -> dict[TP, int]:
        """Return, and seek to, where each partition is to be read from: what is committed, clamped to the log."""
        return await self.call_thread(self._starts, [TopicPartition(*tp) for tp in tps])  # type: ignore[no-any-return]

    async def _starts(self, tps: Sequence[TopicPartition]) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        options = self.consumer.options
        starts = await starting_offsets(consumer, tps, from_latest=options.from_latest, meter=options.meter)
        for tp, start in starts.items():
            consumer.seek(tp, start)
        # The table is recovered. What we write to its changelog would be fetched and never taken, and until the client has
        # seen that, it puts off the next fetch of everything.
        self._resting = frozenset(tp for tp in consumer.assignment() if self.consumer._is_changelog_tp(ensure_TP(tp)))
        consumer.pause(*self._resting)
        return {ensure_TP(tp): start for tp, start in starts.items()}

    async def _seek_wait(self, consumer: aiokafka.AIOKafkaConsumer, partitions: Mapping[TP, int]) -> None:
        # Faust seeks where it recovers; that begins with an assignment, in which nothing rests, but must not depend on it.
        consumer.resume(*self._resting & consumer.assignment())
        self._resting = frozenset()
        await super()._seek_wait(consumer, partitions)

    async def seek_clamped(self, tp: TP, offset: int) -> int:
        """Seek to ``offset``, or to where the log begins now; return which."""
        return await self.call_thread(self._seek_clamped, TopicPartition(*tp), offset)  # type: ignore[no-any-return]

    async def _seek_clamped(self, tp: TopicPartition, offset: int) -> int:
        consumer = self._ensure_consumer()
        first = int((await consumer.beginning_offsets([tp]))[tp])
        consumer.seek(tp, max(first, offset))
        return max(first, offset)

    async def _commit(self, offsets: Mapping[TP, Progress]) -> bool:
        # Faust ends the whole process on a failed commit; a broker that is away for a while is no reason to.
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        wanted = {
            TopicPartition(*tp): OffsetAndMetadata(stand.committable, stand.metadata) for tp, stand in offsets.items()
        }
        wanted = {tp: offset for tp, offset in wanted.items() if tp in assigned}
        try:
            if wanted:
                await consumer.commit(wanted)
        except KafkaError as error:
            self.log.warning("offsets not committed, will be tried again: %r", error)
            return False
        return True

    def rejoin(self) -> None:
        """Ask the group for a new assignment, after what we held was given up."""
        coordinator = self._ensure_consumer()._coordinator
        if self._replaced:
            return
        self.thread_loop.call_soon_threadsafe(coordinator.request_rejoin)
