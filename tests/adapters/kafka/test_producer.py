"""The durable producer: nothing acknowledged is lost, and nothing outlives an abort (RULES 4, 34)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import RecordMetadata

from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.kafka.shares import RecordTooLarge
from streamer.adapters.kafka.topics import create_missing
from streamer.core.ladder import Tier
from streamer.core.partitioning import partition_of
from streamer.ports import Abandoned
from streamer.wire.outgoing import OutRecord
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import records_of
from tests.support.broker import PARTITIONS, RunningKafka
from tests.support.stopping import stop_process
from tests.support.waiting import until

ABORT_S = 2.0
#: Within this a producer that is no good any more is replaced, and what it did not get acknowledged is written.
ANEW_S = 10.0


def numbered(topic: str, numbers: range) -> list[OutRecord]:
    """Return records that carry their numbers, on partition 0."""
    return [OutRecord(topic, b"%d" % number, b"k", 0) for number in numbers]


def values(records: list[RecordMetadata]) -> list[int]:
    """Return the numbers that records carry."""
    return [int(record.value) for record in records]


@pytest.fixture
async def producer(kafka: RunningKafka) -> AsyncIterator[DurableProducer]:
    """A producer on the session's broker."""
    made = DurableProducer({"bootstrap_servers": kafka.bootstrap}, max_record_bytes=2_000)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker that these tests may stop and kill."""
    with EmbeddedBroker(BrokerOptions(tmp_path_factory.mktemp("own-kafka"), short_lived=True)) as broker:
        yield broker


@pytest.fixture
async def own_topic(own_broker: EmbeddedBroker, topic_prefix: str) -> str:
    """A topic on the broker that may be killed."""
    specs = [spec for spec in Topics(topic_prefix, 1, (Tier("1s", 1_000),)).specs() if spec.name.endswith("results")]
    await create_missing(own_broker.bootstrap, specs)
    return specs[0].name


@pytest.mark.broker
async def test_written_in_order_and_acknowledged(
    kafka: RunningKafka, topics: Topics, producer: DurableProducer
) -> None:
    """What returns has been written, in the order given, at the offsets told."""
    told = await producer.write(numbered(topics.results, range(300)))
    assert [each.offset for each in told.records()] == list(range(300))
    assert list(told.ends()) == [(0, 0, 299)]
    assert values(await records_of(kafka.bootstrap, [topics.results])) == list(range(300))
    assert (await producer.write([])).records() == []


@pytest.mark.broker
async def test_a_group_over_several_partitions_is_told_record_by_record(
    kafka: RunningKafka, topics: Topics, producer: DurableProducer
) -> None:
    """Whatever the partitions and topics of a group, each record's place is the one at which it is found."""
    places = [(topics.results, number % 3) for number in range(40)] + [(topics.dead_letter, 2), (topics.results, 3)]
    records = [OutRecord(topic, b"%d" % number, b"k", place) for number, (topic, place) in enumerate(places)]
    await producer.write(records)
    receipt = await producer.write(records)
    stored = await records_of(kafka.bootstrap, [topics.results, topics.dead_letter])
    found = {(record.topic, record.partition, record.offset): record for record in stored}
    for number, told in enumerate(receipt.records()):
        record = found[told.topic, told.partition, told.offset]
        assert (told.topic, told.partition) == places[number]
        assert (int(record.value), record.timestamp) == (number, told.timestamp_ms)
    assert sorted(receipt.ends()) == [(0, 14, 27), (1, 13, 25), (2, 1, 1), (2, 13, 25), (3, 1, 1)]


@pytest.mark.broker
async def test_without_a_partition_the_key_chooses_as_it_does_elsewhere(
    topics: Topics, producer: DurableProducer
) -> None:
    """A record without a partition goes where Kafka's default partitioner puts its key."""
    keys = [b"lane-%d" % number for number in range(50)]
    told = await producer.write([OutRecord(topics.results, b"0", key) for key in keys])
    assert [each.partition for each in told.records()] == [partition_of(key.decode(), PARTITIONS) for key in keys]


@pytest.mark.broker
async def test_a_partition_that_is_not_there_is_named(topics: Topics, producer: DurableProducer) -> None:
    """A record for a partition that its topic does not have is a fault of ours, and keeps nothing else from being written."""
    with pytest.raises(ValueError, match=f"{topics.results} has no partition {PARTITIONS}: it has {PARTITIONS}"):
        await producer.write([OutRecord(topics.results, b"0", b"k", PARTITIONS)])
    assert (await producer.write(numbered(topics.results, range(1)))).records()[0].offset == 0


@pytest.mark.broker
async def test_more_than_a_batch_holds_goes_in_several(kafka: RunningKafka, topics: Topics) -> None:
    """A group of more bytes than a batch is written in order, and so is a record that is larger than a batch by itself."""
    sizes = [100_000] * 7 + [700_000, 10, 100_000, 300_000, 10]
    records = [OutRecord(topics.results, b"%d " % number + b"x" * size, b"k", 0) for number, size in enumerate(sizes)]
    made = DurableProducer({"bootstrap_servers": kafka.bootstrap})
    told = await made.write(records)
    await made.close()
    assert [each.offset for each in told.records()] == list(range(12))
    found = await records_of(kafka.bootstrap, [topics.results])
    assert [(int(record.value.split()[0]), len(record.value)) for record in found] == [
        (number, len(record.value or b"")) for number, record in enumerate(records)
    ]


@pytest.mark.broker
async def test_writes_at_once_are_each_told_of_their_own(
    kafka: RunningKafka, topics: Topics, producer: DurableProducer
) -> None:
    """Groups that are written at the same time may share batches; each learns where its own records stand."""
    groups = [numbered(topics.results, range(number, number + 3)) for number in range(0, 60, 3)]
    receipts = await asyncio.gather(*map(producer.write, groups))
    found = {record.offset: int(record.value) for record in await records_of(kafka.bootstrap, [topics.results])}
    told = [[found[each.offset] for each in receipt.records()] for receipt in receipts]
    assert told == [list(range(number, number + 3)) for number in range(0, 60, 3)]


@pytest.mark.broker
async def test_too_large_a_record_is_named_and_does_not_loop(topics: Topics, producer: DurableProducer) -> None:
    """Trying again cannot help, so the caller is told; the producer goes on."""
    async with asyncio.timeout(5):
        with pytest.raises(RecordTooLarge, match=f"of 30[0-9]+ bytes for {topics.results}, more than the 2000 allowed"):
            await producer.write([*numbered(topics.results, range(5)), OutRecord(topics.results, b"x" * 3_000)])
        # None of the others was written, so that they can be written without it, each once.
        receipt = await producer.write(numbered(topics.results, range(2)))
        assert [each.offset for each in receipt.records()] == [0, 1]


@pytest.mark.broker
async def test_without_the_right_nothing_is_written(kafka: RunningKafka, topics: Topics) -> None:
    """The lease is asked before a try; no connection is made without it."""
    made = DurableProducer({"bootstrap_servers": kafka.bootstrap}, may_write=lambda: False)
    with pytest.raises(Abandoned):
        await made.write(numbered(topics.results, range(1)))
    assert await records_of(kafka.bootstrap, [topics.results]) == []


@pytest.mark.broker
async def test_an_abort_is_no_end(kafka: RunningKafka, topics: Topics, producer: DurableProducer) -> None:
    """After an abort the next write goes through a new producer."""
    await producer.write(numbered(topics.results, range(3)))
    await producer.abort()
    await producer.write(numbered(topics.results, range(3, 6)))
    assert values(await records_of(kafka.bootstrap, [topics.results])) == list(range(6))


@pytest.mark.broker
async def test_a_killed_broker_costs_no_record(own_broker: EmbeddedBroker, own_topic: str) -> None:
    """A write that was under way when the broker died is completed by another producer once it is back."""
    producer = DurableProducer({"bootstrap_servers": own_broker.bootstrap}, deadline_s=3.0)
    acknowledged: list[int] = []

    async def write_all() -> None:
        for number in range(0, 4_000, 20):
            await producer.write(numbered(own_topic, range(number, number + 20)))
            acknowledged.append(number)

    writing = asyncio.create_task(write_all())
    await until(lambda: len(acknowledged) >= 20)
    await asyncio.to_thread(own_broker.kill)
    before = len(acknowledged)
    await asyncio.to_thread(own_broker.start)
    async with asyncio.timeout(30):
        await writing
    await producer.close()
    assert before < len(acknowledged)
    found = values(await records_of(own_broker.bootstrap, [own_topic]))
    assert sorted(set(found)) == list(range(4_000))
    # A record may be written twice where the acknowledgement was lost, never more than one write's worth.
    assert len(found) - 4_000 <= 20


@pytest.mark.broker
async def test_a_fatal_error_costs_no_record(kafka: RunningKafka, topics: Topics, producer: DurableProducer) -> None:
    """Once the broker refuses the sequence a producer can never write again: another one does, within seconds (K2)."""
    await producer.write(numbered(topics.results, range(5)))
    first = producer._producer
    assert first is not None
    assert first._txn_manager is not None
    first._txn_manager.increment_sequence_number(TopicPartition(topics.results, 0), 100)
    began_at = time.monotonic()
    writes = [producer.write(numbered(topics.results, range(number, number + 5))) for number in range(5, 50, 5)]
    await asyncio.wait_for(asyncio.gather(*writes), ANEW_S)
    assert time.monotonic() - began_at < ANEW_S
    assert producer._producer is not first
    found = values(await records_of(kafka.bootstrap, [topics.results]))
    assert sorted(set(found)) == list(range(50))


@pytest.mark.broker
async def test_a_broker_that_stands_still_costs_no_record(own_broker: EmbeddedBroker, own_topic: str) -> None:
    """A write that is never answered has a deadline, and goes through a new producer soon after the broker goes on (K3)."""
    producer = DurableProducer({"bootstrap_servers": own_broker.bootstrap}, deadline_s=1.0)
    await producer.write(numbered(own_topic, range(1)))
    first, pid = producer._producer, own_broker.pid
    assert pid is not None
    stop_process(pid)
    try:
        pending = asyncio.create_task(producer.write(numbered(own_topic, range(1, 6))))
        await until(lambda: producer._producer is not first)
        assert not pending.done()
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.wait_for(pending, ANEW_S)
    await producer.close()
    assert sorted(set(values(await records_of(own_broker.bootstrap, [own_topic])))) == list(range(6))


@pytest.mark.broker
@pytest.mark.parametrize("while_away", ["stopped", "killed"])
async def test_an_abort_is_at_once_while_the_broker_is_away(
    own_broker: EmbeddedBroker, own_topic: str, while_away: str
) -> None:
    """Pending writes raise in bounded time, and what they carried never reaches the log, though the broker comes back."""
    producer = DurableProducer({"bootstrap_servers": own_broker.bootstrap})
    await producer.write(numbered(own_topic, range(1)))
    pid = own_broker.pid
    assert pid is not None
    if while_away == "stopped":
        stop_process(pid)
    else:
        await asyncio.to_thread(own_broker.kill)
    try:
        # More than a socket takes at once: what stands in its buffer when it is closed was sent, in the kernel's eyes.
        big = [OutRecord(own_topic, b"%d" % number + b" " * 60_000, b"k", 0) for number in range(1, 400)]
        pending = [asyncio.create_task(producer.write(big[start : start + 20])) for start in range(0, 399, 20)]
        accumulator = producer._producer and producer._producer._message_accumulator
        assert accumulator is not None
        await until(lambda: accumulator._batches)
        began_at = time.monotonic()
        await producer.abort()
        gone = await asyncio.wait_for(asyncio.gather(*pending, return_exceptions=True), ABORT_S)
        assert time.monotonic() - began_at < ABORT_S
        assert [type(each) for each in gone] == [Abandoned] * len(pending)
    finally:
        if while_away == "stopped":
            os.kill(pid, signal.SIGCONT)
        else:
            await asyncio.to_thread(own_broker.start)
    successor = DurableProducer({"bootstrap_servers": own_broker.bootstrap})
    await successor.write(numbered(own_topic, range(1_000, 1_001)))
    await successor.close()
    found = [int(record.value) for record in await records_of(own_broker.bootstrap, [own_topic])]
    assert found[0] == 0
    # What follows a successor's first record would be a zombie's write (RULES 34).
    assert found[-1] == 1_000
    assert len(found) < 150


@pytest.mark.broker
async def test_an_abort_reaches_a_write_that_connects_again(own_broker: EmbeddedBroker, own_topic: str) -> None:
    """A producer that has lost its connection, and is aborted while it makes another, writes nothing over that one."""
    producer = DurableProducer({"bootstrap_servers": own_broker.bootstrap})
    await producer.write(numbered(own_topic, range(1)))
    pid, first = own_broker.pid, producer._producer
    assert pid is not None
    assert first is not None
    stop_process(pid)
    try:
        for connection in list(first.client._conns.values()):
            connection.close()
        pending = asyncio.create_task(producer.write(numbered(own_topic, range(1, 2))))
        # The system takes connections for a process that stands still; it answers nothing.
        await until(first.client._get_conn_lock.locked)
        await producer.abort()
        with pytest.raises(Abandoned):
            await asyncio.wait_for(pending, ABORT_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    successor = DurableProducer({"bootstrap_servers": own_broker.bootstrap})
    for number in range(1_000, 1_020):
        await successor.write(numbered(own_topic, range(number, number + 1)))
    await successor.close()
    assert values(await records_of(own_broker.bootstrap, [own_topic])) == [0, *range(1_000, 1_020)]


@pytest.mark.broker
async def test_an_abort_reaches_a_producer_that_still_connects(own_broker: EmbeddedBroker, own_topic: str) -> None:
    """A first write that waits for its connection is given up at once, and is not written when the broker comes back."""
    producer = DurableProducer({"bootstrap_servers": own_broker.bootstrap})
    pid = own_broker.pid
    assert pid is not None
    stop_process(pid)
    try:
        pending = [asyncio.create_task(producer.write(numbered(own_topic, range(1)))) for _ in range(3)]
        await until(producer._lock.locked)
        began_at = time.monotonic()
        await producer.abort()
        gone = await asyncio.wait_for(asyncio.gather(*pending, return_exceptions=True), ABORT_S)
        assert time.monotonic() - began_at < ABORT_S
        assert [type(each) for each in gone] == [Abandoned] * 3
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await records_of(own_broker.bootstrap, [own_topic]) == []
    assert len((await producer.write(numbered(own_topic, range(1)))).records()) == 1
    await producer.close()
