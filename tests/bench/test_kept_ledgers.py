"""What stands on a real broker's topics, and what its groups commit, comes into the ledgers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.kept_ledgers import followed, kept_ledgers, readers
from bench.ledger_file import read_lines
from bench.run_ledgers import ACCEPTED, COMMITS, LANES, LETTERS, Ledgers, Terms
from streamer.core.figures import LaneFigures
from streamer.wire.lane_record import encode_figures
from tests.support.broker import RunningKafka
from tests.support.installation import Installation, installed
from tests.support.offset_watch import OffsetWatch, watched_offsets
from tests.support.waiting import until

pytestmark = pytest.mark.broker

GROUP = "oracle-test"


@pytest.fixture
async def place(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """Make an installation, and delete its topics afterwards."""
    async with installed(Installation(kafka.bootstrap, topic_prefix, tmp_path)) as made:
        yield made


async def append(place: Installation, topic: str, value: bytes, *headers: tuple[str, bytes]) -> None:
    """Append a record, acknowledged."""
    producer = AIOKafkaProducer(bootstrap_servers=place.bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, b"key", partition=0, headers=list(headers))
    finally:
        await producer.stop()


async def commit(place: Installation, offset: int) -> None:
    """Commit an offset as a member of a group would."""
    consumer = AIOKafkaConsumer(bootstrap_servers=place.bootstrap, group_id=GROUP, enable_auto_commit=False)
    tp = TopicPartition(place.topics.deliveries, 0)
    consumer.assign([tp])
    await consumer.start()
    try:
        await consumer.commit({tp: offset})
    finally:
        await consumer.stop()


async def test_topics_and_offsets_come_into_the_ledgers(place: Installation) -> None:
    """Of records on the way it is kept whose they are and where they stand; lanes and dead letters are kept whole."""
    topics, directory = place.topics, place.directory
    Terms(readers=readers(place)).write(directory)
    with kept_ledgers(directory, topics) as ledgers:
        async with (
            followed(place, ledgers),
            # The broker knows of no group before its first commit.
            watched_offsets(place.bootstrap, [GROUP], ledgers.sample, patient=True) as watch,
        ):
            await append(place, topics.deliveries, b"{}", ("task", b"tsk_1"))
            await append(place, topics.retry("1s"), b"{}", ("task", b"tsk_1"))
            await append(place, topics.lanes, encode_figures(LaneFigures("a.example", 0, 1_000)) or b"")
            await commit(place, 1)
            await until(lambda: watch.newest, 10)
            # Read at the end, though it was written after the last look.
            await append(place, topics.dead_letter, b'{"kind": "task"}')
    (directory / ACCEPTED).touch()
    kept = Ledgers.read(directory).evidence
    stands = [(each.task_id, each.topic, each.partition, each.offset) for each in kept.standing]
    assert sorted(stands) == [("tsk_1", topics.deliveries, 0, 0), ("tsk_1", topics.retry("1s"), 0, 0)]
    (sample,) = read_lines(directory / COMMITS)
    assert (sample["group"], sample["topic"], sample["offset"]) == (GROUP, topics.deliveries, 1)
    assert sample["at_ms"] >= max(each.stamp_ms for each in kept.standing)
    assert [line["figures"]["domain"] for line in read_lines(directory / LANES)] == ["a.example"]
    assert [line["letter"] for line in read_lines(directory / LETTERS)] == [{"kind": "task"}]
    assert kept.readers[topics.requests] == f"{place.group}-intake"


async def test_a_patient_watch_outlasts_the_broker(place: Installation, kafka: RunningKafka) -> None:
    """While the broker is away nothing is seen, and what is committed afterwards is."""
    async with watched_offsets(place.bootstrap, [GROUP], patient=True) as watch:
        await commit(place, 1)
        await until(lambda: _newest(watch, place) == 1, 10)
        try:
            await asyncio.to_thread(kafka.broker.kill)
            await until(lambda: watch.unanswered, 20)
        finally:
            await asyncio.to_thread(kafka.broker.start)
        await commit(place, 7)
        await until(lambda: _newest(watch, place) == 7, 30)
    assert watch.regressions == []


def _newest(watch: OffsetWatch, place: Installation) -> int | None:
    return watch.newest.get((GROUP, TopicPartition(place.topics.deliveries, 0)))
