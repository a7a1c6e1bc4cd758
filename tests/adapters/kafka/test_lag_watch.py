"""Hold's look at how far deliver is behind, over a broker's absence (RULES 20)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamer.adapters.broker import ports
from streamer.adapters.kafka.lag_watch import CROWDED, LagWatch
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import commit_as, produce
from tests.support.broker import RunningKafka
from tests.support.waiting import until

pytestmark = pytest.mark.broker


async def test_a_watch_that_found_no_broker_finds_it_later(kafka: RunningKafka, topics: Topics) -> None:
    """A watch that begins while nobody answers, and whose looks fail, tells what is crowded as soon as one succeeds."""
    group = f"{topics.prefix}deliver"
    await produce(kafka.bootstrap, topics.due, [(b"lane", b"backlog", 1)] * (CROWDED + 1), linger_ms=5)
    await commit_as(kafka.bootstrap, group, {(topics.due, 0): 0, (topics.due, 1): 0})
    door, failures = ports.pick(), [ValueError("a fault of the client library")]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await consumer.start()
    watch = LagWatch({"bootstrap_servers": f"127.0.0.1:{door}"}, topics.due, topics.partitions, group)

    async def ends(tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        if failures:
            raise failures.pop()
        found: Mapping[TopicPartition, int] = await consumer.end_offsets(tps)
        return found

    task = asyncio.create_task(watch.run(ends))
    try:
        async with relayed(door, kafka.bootstrap):
            await until(lambda: watch.crowded(1), 20)
            assert not failures
            assert not watch.crowded(0)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await consumer.stop()


@asynccontextmanager
async def relayed(port: int, to: str) -> AsyncIterator[None]:
    """Open a port that was closed until now, and pass on what comes to another address."""
    host, _, number = to.rpartition(":")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(host, int(number))
        await asyncio.gather(pump(reader, forth), pump(back, writer))

    async with await asyncio.start_server(pass_on, "127.0.0.1", port):
        yield
