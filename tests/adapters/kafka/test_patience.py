"""How long fetches wait at the broker: long where that delays nothing, short where it would (RULES 29)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamer.adapters.kafka.patience import PATIENT_MS, be_patient
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import produce
from tests.support.broker import PARTITIONS, RunningKafka
from tests.support.waiting import until

_SHORT_MS = 50
_WITHIN_S = 10.0


class Waits:
    """The waits that a consumer has asked for, oldest first, and how many partitions each fetch left out."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        """Listen to what the consumer asks for from now on."""
        self.asked: list[tuple[int, int]] = []
        ask = consumer._fetcher._get_actions_per_node

        def listen(assignment: object) -> object:
            actions = ask(assignment)
            for _, fetch in actions[0]:
                partitions = sum(len(each) for _, each in fetch.topics)
                self.asked.append((fetch._max_wait_ms, PARTITIONS - partitions))
            return actions

        consumer._fetcher._get_actions_per_node = listen

    async def newest(self, wanted: tuple[int, int]) -> None:
        """Return once a fetch is asked for like this."""
        seen = len(self.asked)
        await until(lambda: wanted in self.asked[seen:], _WITHIN_S)


@pytest.fixture
async def consumer(kafka: RunningKafka, topics: Topics) -> AsyncIterator[AIOKafkaConsumer]:
    """A patient consumer of all partitions of one topic, that reads on by itself as far as nothing waits to be taken."""
    made = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=_SHORT_MS
    )
    await made.start()
    be_patient(made)
    made.assign([TopicPartition(topics.results, number) for number in range(PARTITIONS)])
    yield made
    await made.stop()


@pytest.mark.broker
async def test_idle_a_fetch_waits_long_and_ends_at_the_first_record(
    kafka: RunningKafka, topics: Topics, consumer: AIOKafkaConsumer
) -> None:
    """With nothing to read few fetches are made, and what is written comes at once all the same."""
    waits = Waits(consumer)
    await waits.newest((PATIENT_MS, 0))
    took_s = []
    for number in range(8):
        waiting = asyncio.create_task(consumer.getmany(timeout_ms=5_000))
        await waits.newest((PATIENT_MS, 0))
        await produce(kafka.bootstrap, topics.results, [(b"k", b"v", number % PARTITIONS)])
        written_at = time.monotonic()
        assert sum(map(len, (await waiting).values())) == 1
        took_s.append(time.monotonic() - written_at)
    # Half of a long wait, in the mean, if a record did not end it.
    assert sorted(took_s)[len(took_s) // 2] < PATIENT_MS / 1000 / 4


@pytest.mark.broker
async def test_what_is_left_out_is_not_waited_for(
    kafka: RunningKafka, topics: Topics, consumer: AIOKafkaConsumer
) -> None:
    """While a partition is paused, or its records are not taken yet, fetches keep the short wait."""
    waits = Waits(consumer)
    first = TopicPartition(topics.results, 0)
    await waits.newest((PATIENT_MS, 0))
    consumer.pause(first)
    await waits.newest((_SHORT_MS, 1))
    consumer.resume(first)
    await waits.newest((PATIENT_MS, 0))
    await produce(kafka.bootstrap, topics.results, [(b"k", b"v", 0)])
    await waits.newest((_SHORT_MS, 1))
    assert list(await consumer.getmany(timeout_ms=5_000)) == [first]
    await waits.newest((PATIENT_MS, 0))


@pytest.mark.broker
async def test_what_rests_for_good_is_not_left_out(
    kafka: RunningKafka, topics: Topics, consumer: AIOKafkaConsumer
) -> None:
    """A partition that is paused and never resumed keeps no fetch short."""
    be_patient(consumer, lambda: 1)
    waits = Waits(consumer)
    consumer.pause(TopicPartition(topics.results, 3))
    await waits.newest((PATIENT_MS, 1))
