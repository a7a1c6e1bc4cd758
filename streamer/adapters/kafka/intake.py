"""Intake on Kafka: reads ``requests`` in batches, writes what each record becomes, then commits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException, KafkaError, UnsupportedCodecError

from streamer.adapters.kafka.group_reader import GroupReader, ReaderOptions
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.kafka.stands import Stand
from streamer.adapters.kafka.starts import tell_gone
from streamer.core.emit import Emit
from streamer.core.policy_book import PolicyBook
from streamer.core.reading import Accepted, Refused
from streamer.flow.intake import RawRequest, admit, refuse
from streamer.ports import Abandoned, Clock, Meter
from streamer.wire.outgoing import OutRecord

log = logging.getLogger(__name__)

_POLL_MS = 250
_AGAIN_S = 1.0
#: So many records are written together, and so many are read without a turn for others: some 4 ms.
_AT_ONCE, _BETWEEN_TURNS = 500, 100
#: So many records of a partition are read one by one before it is left for the next.
_STEPS = 2_000
#: What is written, and the record that it becomes.
Made = tuple[Emit, OutRecord]
_UNDECODABLE = "the batch that holds this record cannot be decoded: {error}"


class KafkaIntake:
    """Runs intake for the partitions of ``requests`` that the group gives us.

    Reads only what is committed, so that a transactional producer's aborted records are never sent. A batch that cannot be
    decoded is dead-lettered by its coordinates and passed over (RULES 16).
    """

    def __init__(
        self,
        options: ReaderOptions,
        *,
        cluster_id: str,
        read: Callable[[bytes | None, Sequence[tuple[str, bytes]], int, PolicyBook], Accepted | Refused],
        policies: Callable[[], PolicyBook] = PolicyBook,
        encode: Callable[[Emit], OutRecord],
        producer: DurableProducer,
        lease: HeartbeatLease,
        clock: Clock,
        meter: Meter,
        told: Callable[[Sequence[Emit]], None] | None = None,
    ) -> None:
        self._options = options
        self._cluster_id = cluster_id
        self._read = read
        self._policies = policies
        self._encode = encode
        self._producer = producer
        self._lease = lease
        self._clock = clock
        self._meter = meter
        #: Is called with what the broker has acknowledged, where anybody wants to know.
        self._told = told
        self._done: dict[TopicPartition, int] = {}
        self._reader: GroupReader | None = None
        self._handled = self._in_hand = 0
        #: Set while the group has given us our share, be it nothing.
        self.joined = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled; after an error the group is joined anew."""
        while True:
            reader = self._reader = GroupReader(
                self._options, self._lease, lambda: dict(self._done), self._assigned, self._revoked
            )
            try:
                async with reader.joined():
                    await self._run(reader)
            except (KafkaError, Abandoned, OSError) as error:
                log.warning("intake starts again: %r", error)
                await self._producer.abort()
                self._revoked()
                await asyncio.sleep(_AGAIN_S)

    def stand(self) -> Stand:
        """Return how far intake is, for its watchdog."""
        at = self._reader.positions() if self._reader is not None else {}
        # Behind the last record there may be a transaction's marker, which no reader is ever handed: the client's position counts.
        following = {tp: max(done, at.get(tp, done)) for tp, done in self._done.items()}
        # A share of the group is owed too: one that never comes would look like having nothing to do.
        return Stand(self._handled + sum(following.values()), self._in_hand + (not self.joined.is_set()), following)

    def _assigned(self, starts: Mapping[TopicPartition, int]) -> None:
        self._done.update(starts)
        self.joined.set()

    def _revoked(self) -> None:
        self._done.clear()
        self.joined.clear()

    async def _run(self, reader: GroupReader) -> None:
        while True:
            try:
                batches = await reader.consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
            except Exception as error:
                if not _is_of_the_batch(error):
                    raise
                await self._carefully(reader, error)
                continue
            # What comes between an assignment and our seek to its start is read a second time from there.
            ours = {tp: batch for tp, batch in batches.items() if tp in self._done}
            if ours:
                await self._handle(ours)

    async def _handle(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> None:
        await self._tell_gone(batches)
        now_ms, book = self._clock.now_ms(), self._policies()
        out: list[Made] = []
        for number, record in enumerate(chain.from_iterable(batches.values()), 1):
            out += self._admit(record, now_ms, book)
            if not number % _BETWEEN_TURNS:
                await asyncio.sleep(0)
        self._meter.count("requests_read", sum(map(len, batches.values())))
        await self._write(out)
        self._handled += sum(map(len, batches.values()))
        for tp, batch in batches.items():
            # Partitions may have moved while the broker acknowledged: what is not ours any more is not committed.
            if tp in self._done:
                self._done[tp] = batch[-1].offset + 1

    async def _tell_gone(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Tell of records that the log lost before they were read: the client goes on where it begins now, without a word."""
        after = {
            tp: self._done[tp] for tp, batch in batches.items() if batch[0].offset > self._done.get(tp, batch[0].offset)
        }
        # Most gaps are markers of transactions, and what those have aborted.
        if not after or self._reader is None:
            return
        for tp, first in (await self._reader.consumer.beginning_offsets(list(after))).items():
            if first > after[tp]:
                tell_gone(self._meter, tp, after[tp], first)

    async def _write(self, out: Sequence[Made]) -> None:
        self._in_hand = len(out)
        try:
            await self._producer.write([encoded for _, encoded in out])
        finally:
            self._in_hand = 0
        if self._told is not None:
            self._told([emit for emit, _ in out])

    def _admit(self, record: Any, now_ms: int, book: PolicyBook) -> list[Made]:
        raw = RawRequest(
            self._cluster_id,
            record.topic,
            record.partition,
            record.offset,
            record.timestamp,
            record.key,
            record.value,
            record.headers,
        )
        try:
            reading = self._read(raw.value, raw.headers, now_ms, book)
            return self._made(admit(raw, reading, now_ms, book))
        except Exception as error:
            # A fault of ours on one record must not stop the partition; the record is kept whole, with the fault's name.
            told = {"fields": {"task_id": raw.derived_id}}
            place = (record.topic, record.partition, record.offset)
            log.exception("intake: %s-%s@%s could not be handled", *place, extra=told)
            self._meter.count("faults")
            return self._made(refuse(raw, Refused(None, f"fault of ours: {error!r}"), now_ms))

    def _made(self, emits: Sequence[Emit]) -> list[Made]:
        return [(emit, self._encode(emit)) for emit in emits]

    async def _carefully(self, reader: GroupReader, error: Exception) -> None:
        """Read each partition again record by record, and pass over what cannot be decoded."""
        # The client has moved past records that it read together with the bad batch, and will not return them.
        for tp, handled in self._done.items():
            reader.consumer.seek(tp, handled)
        if not sum([await self._step(reader, tp) for tp in list(self._done)]):
            log.warning("intake: a fetch failed, and no partition is to blame: %r", error)

    async def _step(self, reader: GroupReader, tp: TopicPartition) -> int:
        """Go on in one partition to the first good record behind the bad ones; return how many offsets are passed over."""
        records: list[Any] = []
        passed = 0
        while not (records and passed) and len(records) < _STEPS:
            try:
                # One by one: what is read before a bad batch is returned, and the position stands before that batch.
                found = await reader.consumer.getmany(tp, timeout_ms=_POLL_MS, max_records=1)
            except Exception as error:
                if not _is_of_the_batch(error):
                    raise
                if records:
                    await self._handle({tp: records})
                    records = []
                await self._pass_over(reader, tp, error)
                passed += 1
                continue
            if not found:
                break
            records += found[tp]
        if records:
            await self._handle({tp: records})
        return passed

    async def _pass_over(self, reader: GroupReader, tp: TopicPartition, error: Exception) -> None:
        """Dead-letter the offset at which a partition stands, by its coordinates, and go on behind it."""
        offset = await reader.consumer.position(tp)
        if offset >= (await reader.consumer.end_offsets([tp]))[tp]:
            # Nothing is there that could be bad: whatever failed is not a record.
            raise KafkaError(f"{tp} cannot be read at its end: {error!r}") from error
        refused = Refused(None, _UNDECODABLE.format(error=error))
        raw = RawRequest(self._cluster_id, tp.topic, tp.partition, offset, 0, None, None, ())
        emits = refuse(raw, refused, self._clock.now_ms())
        await self._write(self._made(emits))
        self._meter.count("requests_undecodable")
        log.error("%s: offset %s passed over: %r", tp, offset, error)
        reader.consumer.seek(tp, offset + 1)
        if tp in self._done:
            self._done[tp] = offset + 1


def _is_of_the_batch(error: Exception) -> bool:
    """Tell whether a fetch failed by what it fetched; each codec raises errors of its own, of no common kind."""
    if isinstance(error, CorruptRecordException | UnsupportedCodecError):
        return True
    return not isinstance(error, KafkaError | ConsumerStoppedError)
