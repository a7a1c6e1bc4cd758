"""Records handed to aiokafka a group at a time: its ``send`` makes a future, and looks at the metadata, for each record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import copy
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import ProducerClosed
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import RecordMetadata

from streamer.wire.outgoing import OutRecord

_size_of = DefaultRecordBatchBuilder.estimate_size_in_bytes
#: What the broker answers where a record's timestamp is the producer's.
_OURS = -1
_Headers = list[tuple[str, bytes | None]]


class RecordTooLarge(Exception):
    """A record outgrew what its topic takes; trying again cannot help."""


class Written(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Share:
    """What one of the library's batches has of a group: records that follow one another in one partition."""

    __slots__ = ("_at_ms", "_first", "_tp", "future", "numbers")

    def __init__(self, tp: TopicPartition, future: asyncio.Future[RecordMetadata], first: int, at_ms: int) -> None:
        """Begin at the batch's record ``first``; all of the share have the timestamp ``at_ms``."""
        #: Done with the batch, which may hold records of other groups.
        self.future = future
        #: Each record's place in the group.
        self.numbers: list[int] = []
        self._tp, self._first, self._at_ms = tp, first, at_ms

    @property
    def ends(self) -> tuple[int, int, int]:
        """The partition, and the offsets of the first record in it and of the last, once acknowledged."""
        first = self.future.result().offset + self._first
        return self._tp.partition, first, first + len(self.numbers) - 1

    def stamped_at_ms(self) -> int | None:
        """Return the time that the broker put on it, once acknowledged; None where the topic keeps the producer's."""
        at_ms = self.future.result().timestamp
        return None if at_ms == _OURS else at_ms

    def written(self) -> Iterator[tuple[int, Written]]:
        """Iterate where the records stand, once acknowledged, each with its place in the group."""
        begun = self.future.result()
        at_ms = self._at_ms if begun.timestamp == _OURS else begun.timestamp
        for offset, number in enumerate(self.numbers, begun.offset + self._first):
            yield number, Written(self._tp.topic, self._tp.partition, offset, at_ms)


class Receipt:
    """What the broker has acknowledged: all records of a group."""

    __slots__ = ("_shares",)

    def __init__(self, shares: Sequence[Share] = ()) -> None:
        """Wrap shares whose futures are done."""
        self._shares = shares

    def ends(self) -> Iterator[tuple[int, int, int]]:
        """Iterate each share's partition, first and last offset; those of one partition come in their order."""
        return (share.ends for share in self._shares)

    def stamped_at_ms(self) -> int | None:
        """Return the broker's time on the first records; None where the topic keeps the producer's, or nothing was written."""
        return self._shares[0].stamped_at_ms() if self._shares else None

    def records(self) -> list[Written]:
        """Return where each record stands, in the order in which they were given."""
        return [written for _, written in sorted(pair for share in self._shares for pair in share.written())]


async def hand_over(producer: AIOKafkaProducer, records: Sequence[OutRecord], most_bytes: int) -> list[Share]:
    """Put records into the producer's batches, all in one turn of the loop.

    Raises RecordTooLarge, and hands over none of them, when one has more than ``most_bytes``.
    """
    # The library takes headers as a list and nothing else.
    headers = [record.headers if type(record.headers) is list else list(record.headers) for record in records]
    for record, its_headers in zip(records, headers, strict=True):
        size = _size_of(record.key, record.value, its_headers)
        if size > most_bytes:
            raise RecordTooLarge(f"a record of {size} bytes for {record.topic}, more than the {most_bytes} allowed")
    for topic in {record.topic for record in records}:
        await producer.client._wait_on_metadata(topic)
    shares: list[Share] = []
    try:
        _Filling(producer, shares).take(records, headers)
    except BaseException:
        forget(shares)
        raise
    return shares


def forget(shares: Iterable[Share]) -> None:
    """Wait for these no more; the loop would log each that fails by itself, with its trace."""
    for share in shares:
        share.future.add_done_callback(failure)


def failure(future: asyncio.Future[Any]) -> BaseException | None:
    """Return what a future that is done has failed by; None if it has not."""
    return None if future.cancelled() else future.exception()


class _Filling:
    """Fills the accumulator's batches: those that still wait to be sent, and new ones."""

    def __init__(self, producer: AIOKafkaProducer, shares: list[Share]) -> None:
        """Add each share to ``shares`` when it begins."""
        self._producer = producer
        self._accumulator = producer._message_accumulator
        self._shares = shares
        self._at_ms = int(time.time() * 1000)
        #: Each topic's partitions.
        self._known: dict[str, Collection[int]] = {}

    def take(self, records: Sequence[OutRecord], headers: Sequence[_Headers]) -> None:
        """Take all records, in order per partition."""
        if self._accumulator._closed:
            raise ProducerClosed
        if self._accumulator._exception is not None:
            raise copy(self._accumulator._exception)
        at_ms = self._at_ms
        # What of each partition takes the next record, and notes its number. Calls by themselves: there is one per record.
        open_: dict[tuple[str, int], tuple[Callable[..., Any], Callable[[int], None]]] = {}
        for number, (record, its_headers) in enumerate(zip(records, headers, strict=True)):
            partition = self._chosen(record) if record.partition is None else record.partition
            place = record.topic, partition
            found = open_.get(place)
            if (
                found is None
                or found[0](timestamp=at_ms, key=record.key, value=record.value, headers=its_headers) is None
            ):
                found = open_[place] = self._begin(record, its_headers, partition, fresh=found is not None)
            found[1](number)

    def _chosen(self, record: OutRecord) -> int:
        """Return the partition that Kafka's default partitioner chooses by the key."""
        return int(self._producer._partition(record.topic, None, None, None, record.key, record.value))

    def _begin(
        self, record: OutRecord, headers: _Headers, partition: int, *, fresh: bool
    ) -> tuple[Callable[..., Any], Callable[[int], None]]:
        """Put a record into a batch that has nothing of this group yet: a fresh one, unless one waits there."""
        self._check(record.topic, partition)
        tp = TopicPartition(record.topic, partition)
        waiting = None if fresh else self._accumulator._batches.get(tp)
        batch = waiting[-1] if waiting else None
        first = batch.record_count if batch is not None else 0
        given = {"timestamp": self._at_ms, "key": record.key, "value": record.value, "headers": headers}
        if batch is None or batch._builder.append(**given) is None:
            # Behind one that is full: a partition's batches go out one after the other, in this order.
            batch, first = self._accumulator._append_batch(self._accumulator.create_builder(), tp), 0
            # A batch takes its first record, whatever its size.
            batch._builder.append(**given)
        share = Share(tp, batch.future, first, self._at_ms)
        self._shares.append(share)
        return batch._builder.append, share.numbers.append

    def _check(self, topic: str, partition: int) -> None:
        known = self._known.get(topic)
        if known is None:
            known = self._known[topic] = self._producer.client.cluster.partitions_for_topic(topic) or ()
        if partition not in known:
            raise ValueError(f"{topic} has no partition {partition}: it has {len(known)}")
