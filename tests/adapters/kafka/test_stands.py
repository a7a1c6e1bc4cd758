"""What each stage owes: nothing where it rightly rests, all that nobody reads where it is stuck (RULES 36)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from streamer.adapters.kafka.log_ends import LogEnds
from streamer.adapters.kafka.stands import Stand, Stands
from streamer.adapters.kafka.watchdog import Progress, Watchdog
from streamer.wire.header_names import DUE_AT_MS, RELEASE_AT_MS
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import produce
from tests.adapters.kafka.test_intake import intake, request
from tests.adapters.kafka.test_tier_log import holding
from tests.support.broker import RunningKafka
from tests.support.waiting import until

A, B = TopicPartition("a", 0), TopicPartition("b", 0)


class KnownEnds:
    """Logs that end where a test says; None when no broker answers."""

    def __init__(self, ends: Mapping[TopicPartition, int] | None) -> None:
        self.ends = ends
        self.closed = False

    async def of(self, tps: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return those that were asked for."""
        if self.ends is None:
            raise KafkaError("nobody answers")
        return {tp: self.ends[tp] for tp in tps}

    async def close(self) -> None:
        """Note it."""
        self.closed = True


async def test_owed_is_what_is_in_hand_and_what_nobody_has_read() -> None:
    """A stage is asked for its own partitions; one that has read on past an end that is old owes nothing there."""
    stands = Stands({"x": lambda: Stand(7, 2, {A: 10}), "y": lambda: Stand(0, 0, {B: 30})}, KnownEnds({A: 15, B: 29}))
    assert (stands.progress("x"), stands.unread("y")) == (Progress(0, 0), 0)
    await stands.look()
    assert stands.progress("x") == Progress(7, 2 + 5)
    assert stands.progress("y") == Progress(0, 0)


async def test_what_was_unread_counts_on_while_no_broker_says_where_logs_end() -> None:
    """Else a stage that is stuck with its broker would look like one without work."""
    ends = KnownEnds({A: 15})
    stands = Stands({"x": lambda: Stand(7, 0, {A: 10})}, ends)
    await stands.look()
    ends.ends = None
    await stands.look()
    assert stands.progress("x") == Progress(7, 5)


async def test_a_look_that_is_over_leaves_no_connection() -> None:
    """Cancelled, it closes what it asked with."""
    ends, looked = KnownEnds({}), asyncio.Event()

    def stand() -> Stand:
        looked.set()
        return Stand()

    running = asyncio.create_task(Stands({"x": stand}, ends).run())
    await asyncio.wait_for(looked.wait(), 30)
    running.cancel()
    await asyncio.wait([running])
    assert ends.closed


@pytest.mark.broker
async def test_intake_that_reads_no_more_is_seen_to_owe(kafka: RunningKafka, topics: Topics) -> None:
    """Its client fetches nothing, its heartbeats go on, and the watchdog ends the process by what waits unread."""
    ends = LogEnds({"bootstrap_servers": kafka.bootstrap})
    async with intake(kafka, topics) as running:
        stands = Stands({"intake": running.intake.stand}, ends)
        await produce(kafka.bootstrap, topics.requests, [(None, request(number), 0) for number in range(3)])
        await running.passed(3)
        await stands.look()
        before = stands.progress("intake")
        reader = running.intake._reader
        assert reader is not None
        reader.consumer.pause(*reader.assignment())
        await produce(kafka.bootstrap, topics.requests, [(None, request(number), 1) for number in range(4)])
        await stands.look()
        after, now_s, ended = stands.progress("intake"), 0.0, list[str]()
        dog = Watchdog(
            lambda: after, lambda: True, patience_s=60, end=lambda: ended.append("ended"), monotonic=lambda: now_s
        )
        dog.look()
        now_s = 61.0
        assert dog.look()
    await ends.close()
    assert (before.owed, after.owed, after.finished) == (0, 4, before.finished)
    assert ended == ["ended"]


@pytest.mark.broker
async def test_intake_behind_a_transaction_owes_nothing(kafka: RunningKafka, topics: Topics) -> None:
    """Neither the marker at the log's end, which no reader is handed, nor what an open transaction has written."""
    ends = LogEnds({"bootstrap_servers": kafka.bootstrap})
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=topics.requests)
    await producer.start()
    async with intake(kafka, topics) as running:
        stands = Stands({"intake": running.intake.stand}, ends)
        async with producer.transaction():
            await producer.send_and_wait(topics.requests, request(1), partition=0)
        await running.passed(1)
        await producer.begin_transaction()
        await producer.send_and_wait(topics.requests, request(2), partition=1)
        tp = TopicPartition(topics.requests, 0)
        await until(lambda: running.intake.stand().next_offsets[tp] == 2, 10)
        await stands.look()
        owed = stands.progress("intake").owed
        await producer.abort_transaction()
    await producer.stop()
    await ends.close()
    assert owed == 0


@pytest.mark.broker
async def test_hold_owes_what_is_due_and_not_what_waits(kafka: RunningKafka, topics: Topics) -> None:
    """A tier full of records whose time has not come is no debt, read or unread; one whose time is past is."""
    ends = LogEnds({"bootstrap_servers": kafka.bootstrap})
    tier = topics.retry("2s")
    far_ms = 9_000_000_000_000
    headers = [(DUE_AT_MS, b"%d" % far_ms), (RELEASE_AT_MS, b"%d" % far_ms)]
    async with holding(kafka, topics) as running:
        stands = Stands({"hold": lambda: running.tiers.stand(running.hold)}, ends)
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            for _ in range(5):
                await producer.send_and_wait(tier, b"{}", b"k", partition=0, headers=headers)
            await until(lambda: running.in_hand, 20)
            await producer.send_and_wait(tier, b"{}", b"k", partition=0, headers=headers)
            await stands.look()
            resting = stands.progress("hold")
            # Fetches no more from anywhere, as a client that is stuck.
            reader = running.tiers._reader
            assert reader is not None
            reader.only = lambda wanted: None  # type: ignore[method-assign]
            reader.consumer.pause(*reader.assignment())
            await producer.send_and_wait(topics.retry("1s"), b"{}", b"k", partition=2, headers=headers)
        await stands.look()
        stuck = stands.progress("hold")
    await ends.close()
    assert (resting.owed, stuck.owed) == (0, 1)


@pytest.mark.broker
async def test_the_ends_are_asked_anew_after_a_failure(kafka: RunningKafka, topics: Topics) -> None:
    """A client that failed is thrown away; nothing asked costs nothing."""
    ends = LogEnds({"bootstrap_servers": kafka.bootstrap}, answer_s=2.0)
    assert await ends.of([]) == {}
    tp = TopicPartition(topics.results, 0)
    assert await ends.of([tp]) == {tp: 0}
    with pytest.raises(TimeoutError):
        await ends.of([TopicPartition("nobody.made-it", 0)])
    assert ends._client is None
    await produce(kafka.bootstrap, topics.results, [(None, b"1", 0)])
    assert await ends.of([tp]) == {tp: 1}
    await ends.close()
    with pytest.raises((KafkaError, OSError)):
        await LogEnds({"bootstrap_servers": "127.0.0.1:1"}).of([tp])
