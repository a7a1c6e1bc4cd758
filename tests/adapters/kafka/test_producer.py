"""The durable producer: nothing acknowledged is lost, and nothing outlives an abort (RULES 4, 34)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka.structs import RecordMetadata

from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.kafka.producer import DurableProducer, RecordTooLarge
from streamer.adapters.kafka.topics import create_missing
from streamer.core.ladder import Tier
from streamer.ports import Abandoned
from streamer.wire.outgoing import OutRecord
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import records_of
from tests.support.broker import RunningKafka
from tests.support.waiting import until

ABORT_S = 2.0


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
    with EmbeddedBroker(BrokerOptions(tmp_path_factory.mktemp("own-kafka"))) as broker:
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
    assert [each.offset for each in told] == list(range(300))
    assert values(await records_of(kafka.bootstrap, [topics.results])) == list(range(300))
    assert await producer.write([]) == []


@pytest.mark.broker
async def test_too_large_a_record_is_named_and_does_not_loop(topics: Topics, producer: DurableProducer) -> None:
    """Trying again cannot help, so the caller is told; the producer goes on."""
    async with asyncio.timeout(5):
        with pytest.raises(RecordTooLarge):
            await producer.write([OutRecord(topics.results, b"x" * 3_000)])
        assert len(await producer.write(numbered(topics.results, range(2)))) == 2


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
        os.kill(pid, signal.SIGSTOP)
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
async def test_an_abort_reaches_a_producer_that_still_connects(own_broker: EmbeddedBroker, own_topic: str) -> None:
    """A first write that waits for its connection is given up at once, and is not written when the broker comes back."""
    producer = DurableProducer({"bootstrap_servers": own_broker.bootstrap})
    pid = own_broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
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
    assert len(await producer.write(numbered(own_topic, range(1)))) == 1
    await producer.close()
