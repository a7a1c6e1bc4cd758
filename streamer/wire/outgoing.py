"""Turns what a stage emits into the record to write: topic, key, partition, headers and value."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from msgspec import Struct

from streamer.core.delivery import Delivery, trace_of
from streamer.core.emit import (
    Claim,
    DeadLetterOf,
    Due,
    Emit,
    Firing,
    FirstPass,
    Held,
    LaneSignal,
    ResultOf,
    UnreadableOf,
)
from streamer.core.figures import LaneFigures
from streamer.core.partitioning import partition_of
from streamer.core.schedule import Cursor
from streamer.wire.cursor_record import FIRED, encode_cursor
from streamer.wire.dead_letter_record import encode_dead_letter
from streamer.wire.delivery_headers import claim_headers, delivery_headers
from streamer.wire.delivery_record import encode_delivery
from streamer.wire.firing import encode_firing
from streamer.wire.header_names import TRACEPARENT, VERSION
from streamer.wire.lane_record import encode_figures, encode_signal, lane_name
from streamer.wire.masking import USUAL, Masking
from streamer.wire.result_record import encode_result, result_headers
from streamer.wire.sealed import Sealer
from streamer.wire.topics import Topics

RECORD_OVERHEAD_BYTES = 4 * 1024
"""Kafka counts a record's key, headers and lengths as well as its value."""
_MOST_KEY_BYTES = 1_024


class OutRecord(Struct, frozen=True, gc=False):
    """One record to write; without a partition Kafka's default partitioner chooses by the key."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Encoder:
    """Knows where each kind of emit goes.

    What meets in deliver goes to the partition of its lane, as Kafka's default partitioner would choose it. What is keyed by
    task is only written by us, so that a cheap hash of the id serves as well as Kafka's own.
    """

    def __init__(self, topics: Topics, masking: Masking = USUAL, sealer: Sealer | None = None) -> None:
        """Take the topics, what is masked in what people read, and what encrypts requests where they are to be encrypted."""
        self._sealer = sealer
        self._topics = topics
        self._masking = masking
        self._partitions = topics.partitions
        # Asked for each record: a topic's name is put together each time it is asked for.
        self._results, self._claims = topics.results, topics.claims
        self._deliveries, self._due = topics.deliveries, topics.due

    def __call__(self, emit: Emit) -> OutRecord:
        """Return the record."""
        match emit:
            case ResultOf():
                key = emit.task_id.encode()
                value = encode_result(emit, self._masking)
                return OutRecord(self._results, value, key, task_partition(key, self._partitions), result_headers(emit))
            case FirstPass():
                return self._on_lane(self._deliveries, emit.delivery)
            case Due():
                return self._on_lane(self._due, emit.delivery, emit.partition)
            case Held():
                topic = self._topics.retry(emit.tier)
                return self._on_lane(topic, emit.delivery, emit.partition, emit.release_at_ms)
            case Claim():
                key = emit.delivery.task_id.encode()
                value = encode_delivery(emit.delivery, self._sealer)
                return OutRecord(
                    self._topics.claims, value, key, task_partition(key, self._partitions), claim_headers(emit)
                )
            case DeadLetterOf():
                key = emit.delivery.task_id.encode()
                trace = (TRACEPARENT, trace_of(emit.delivery).encode())
                return self._dead(emit, key, task_partition(key, self._partitions), trace)
            case UnreadableOf():
                # The letter holds the key; a huge one beside it would be too much.
                short = emit.key if len(emit.key or b"") <= _MOST_KEY_BYTES else None
                return self._dead(emit, short, emit.partition % self._partitions)
            case LaneSignal():
                key = emit.lane.encode()
                return OutRecord(self._topics.control, encode_signal(emit), key, emit.partition, [(VERSION, b"1")])
            case LaneFigures():
                return OutRecord(self._topics.lanes, encode_figures(emit), lane_name(emit.lane, emit.shard).encode())
            case Firing():
                return OutRecord(self._topics.requests, encode_firing(emit), emit.schedule.encode())
            case Cursor():
                return OutRecord(self._topics.config, encode_cursor(emit), f"{FIRED}{emit.schedule}".encode())

    def _on_lane(
        self, topic: str, delivery: Delivery, partition: int | None = None, release_at_ms: int | None = None
    ) -> OutRecord:
        if partition is None:
            partition = partition_of(delivery.lane, self._partitions, delivery.shard)
        value, headers = encode_delivery(delivery, self._sealer), delivery_headers(delivery, release_at_ms)
        return OutRecord(topic, value, delivery.lane.encode(), partition, headers)

    def _dead(
        self, emit: DeadLetterOf | UnreadableOf, key: bytes | None, partition: int, *more: tuple[str, bytes]
    ) -> OutRecord:
        headers = [(VERSION, b"1"), *more]
        most_bytes = self._topics.max_message_bytes - RECORD_OVERHEAD_BYTES
        value = encode_dead_letter(emit, most_bytes, self._masking, self._sealer)
        return OutRecord(self._topics.dead_letter, value, key, partition, headers)


def task_partition(key: bytes, partitions: int) -> int:
    """Return the partition of what is keyed by task, ``key`` being its id: all results of a task stand in one."""
    return zlib.crc32(key) % partitions
