"""Reads a topic as a log, by offsets or instants, without a consumer group: to its present end, or following it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from streamer.adapters.kafka.clients import Unreachable, addresses, partition_counts, reaching

POLL_MS = 500
POLL_RECORDS = 500
STALL_POLLS = 60
# Whatever the number of partitions, no more than this waits in memory; a record that is larger comes alone.
FETCH_BYTES = 8 * 1024 * 1024
PARTITION_BYTES = 128 * 1024


class LogRecord(Struct, frozen=True, gc=False):
    """One record as it stands in the log."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a topic to read: everything, unless one of these says where to begin.

    ``since_ms`` is an instant, ``newest`` a number of offsets before the end of each partition, and ``offsets``
    names partitions and where to begin in each, the others being left out. ``follow`` goes on past the end.
    """

    since_ms: int | None = None
    newest: int | None = None
    offsets: Mapping[int, int] | None = None
    follow: bool = False


EVERYTHING = Span()


async def read_log(
    options: Mapping[str, Any],
    topic: str,
    span: Span = EVERYTHING,
    on_start: Callable[[], None] = lambda: None,
) -> AsyncGenerator[LogRecord, None]:
    """Yield records, in order within a partition, up to the end offsets at the start unless the span follows.

    ``on_start`` is called once it is fixed where reading begins: what is written later will be read by who follows.
    Close the iterator (`contextlib.aclosing`) when leaving early. Raises Unreachable and TopicMissing.
    """
    count = (await partition_counts(options, [topic]))[topic]
    wanted = range(count) if span.offsets is None else sorted(span.offsets.keys() & range(count))
    partitions = [TopicPartition(topic, number) for number in wanted]
    if not partitions:
        return
    async with reaching(options):
        consumer = AIOKafkaConsumer(
            **options,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_BYTES,
        )
        try:
            await consumer.start()
            ends = await _begin(consumer, partitions, span)
            on_start()
            reader = _follow(consumer) if span.follow else _to_the_end(consumer, ends, addresses(options))
            async with aclosing(reader):
                async for record in reader:
                    yield record
        finally:
            await consumer.stop()


async def _begin(consumer: AIOKafkaConsumer, partitions: list[TopicPartition], span: Span) -> dict[TopicPartition, int]:
    """Assign what is to be read, stand at the beginning of it, and return the offsets at which it ends."""
    consumer.assign(partitions)
    first = await consumer.beginning_offsets(partitions)
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    starts = await _starts(consumer, span, first, ends)
    for partition in partitions:
        # A start before the first offset would be reset by the client, and one past the end too.
        consumer.seek(partition, min(max(starts[partition], first[partition]), ends[partition]))
    return {partition: end for partition, end in ends.items() if starts[partition] < end}


async def _starts(
    consumer: AIOKafkaConsumer,
    span: Span,
    first: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    if span.offsets is not None:
        return {partition: span.offsets[partition.partition] for partition in ends}
    if span.newest is not None:
        return {partition: end - span.newest for partition, end in ends.items()}
    if span.since_ms is not None:
        found = await consumer.offsets_for_times(dict.fromkeys(ends, max(0, span.since_ms)))
        return {partition: found[partition].offset if found[partition] else end for partition, end in ends.items()}
    return dict(first)


async def _follow(consumer: AIOKafkaConsumer) -> AsyncGenerator[LogRecord, None]:
    while True:
        batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
        for records in batches.values():
            for record in records:
                yield _plain(record)


async def _to_the_end(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], servers: str
) -> AsyncGenerator[LogRecord, None]:
    rest = {partition: end for partition, end in ends.items() if await consumer.position(partition) < end}
    consumer.pause(*(consumer.assignment() - rest.keys()))
    empty_polls = 0
    while rest:
        batches = await consumer.getmany(*rest, timeout_ms=POLL_MS, max_records=POLL_RECORDS)
        # Polls, not time: whoever takes the records may take long over each.
        empty_polls = 0 if batches else empty_polls + 1
        if empty_polls > STALL_POLLS:
            waited_s = STALL_POLLS * POLL_MS // 1000
            raise Unreachable(servers, f"nothing read for {waited_s} s, and {len(rest)} partitions not at their end")
        for partition, records in batches.items():
            for record in records:
                if record.offset < rest[partition]:
                    yield _plain(record)
        for partition in list(rest):
            # The position, not the last record's offset: the last offsets may belong to transaction markers.
            if await consumer.position(partition) >= rest[partition]:
                consumer.pause(partition)
                del rest[partition]


def _plain(record: Any) -> LogRecord:
    return LogRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
    )
