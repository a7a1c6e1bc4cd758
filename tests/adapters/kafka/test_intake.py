"""Intake on the real broker: whatever an ordinary producer appends becomes a delivery or a dead letter (RULES 16)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from streamer.adapters.kafka.group_reader import ReaderOptions
from streamer.adapters.kafka.intake import KafkaIntake
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.system import SystemClock
from streamer.core.policy_book import PolicyBook
from streamer.core.reading import Accepted, Refused
from streamer.wire.dead_letter_record import DeadLetter, decode_dead_letter
from streamer.wire.delivery_record import decode_delivery
from streamer.wire.limits import Limits
from streamer.wire.outgoing import Encoder
from streamer.wire.request_reader import read_request
from streamer.wire.topics import Topics
from tests.adapters.kafka.segment import damage
from tests.adapters.kafka.support import commit_as, committed, counted, delete_before, produce, records_of
from tests.support.broker import RunningKafka
from tests.support.waiting import until

pytestmark = pytest.mark.broker

Read = Callable[[bytes | None, Any, int, PolicyBook], Accepted | Refused]


@dataclass(frozen=True, slots=True)
class Running:
    """An intake at work."""

    bootstrap: str
    topics: Topics
    meter: PrometheusMeter
    intake: KafkaIntake
    task: asyncio.Task[None]

    async def passed(self, count: int, within_s: float = 20.0) -> None:
        """Return once it has handled that many offsets; raises what ended it if it ended."""
        await until(lambda: self.task.done() or self.handled >= count, within_s)
        if self.task.done():
            self.task.result()

    @property
    def handled(self) -> int:
        """How many offsets it stands behind, over its partitions."""
        return sum(self.intake._done.values())


def _read(value: bytes | None, headers: Any, now_ms: int, book: PolicyBook) -> Accepted | Refused:
    return read_request(value, headers, Limits(), now_ms, book)


@asynccontextmanager
async def intake(kafka: RunningKafka, topics: Topics, read: Read = _read) -> AsyncIterator[Running]:
    """Run intake for the length of the block, as a worker would."""
    options, lease, meter = {"bootstrap_servers": kafka.bootstrap}, HeartbeatLease(6.0), PrometheusMeter()
    producer = DurableProducer(options, may_write=lease.held)
    made = KafkaIntake(
        ReaderOptions(
            *(options, group_of(topics), [topics.requests]),
            session_s=6,
            heartbeat_s=0.2,
            read_committed=True,
            meter=meter,
        ),
        cluster_id="c",
        read=read,
        encode=Encoder(topics),
        producer=producer,
        lease=lease,
        clock=SystemClock(),
        meter=meter,
    )
    task = asyncio.create_task(made.run())
    try:
        yield Running(kafka.bootstrap, topics, meter, made, task)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await producer.close()


def group_of(topics: Topics) -> str:
    """Return the group's name."""
    return f"{topics.prefix}intake"


def request(number: int) -> bytes:
    """Return a request that carries its number."""
    return orjson.dumps({"url": f"https://example.com/{number}", "json": {"n": number}})


async def delivered(kafka: RunningKafka, topics: Topics) -> list[int]:
    """Return the numbers of the requests that became deliveries."""
    found = await records_of(kafka.bootstrap, [topics.deliveries])
    return sorted(int(decode_delivery(record.value).request.url.rpartition("/")[2]) for record in found)


async def dead_letters(kafka: RunningKafka, topics: Topics) -> list[DeadLetter]:
    """Return the dead letters, by offset of what they are of."""
    found = [decode_dead_letter(record.value) for record in await records_of(kafka.bootstrap, [topics.dead_letter])]
    return sorted(found, key=lambda letter: (letter.origin.partition, letter.origin.offset))


async def test_every_codec_is_read(kafka: RunningKafka, topics: Topics) -> None:
    """Batches as ordinary producers compress them come out whole."""
    for place, codec in enumerate(["zstd", "lz4", "snappy", "gzip", None]):
        records = [(None, request(10 * place + number), 0) for number in range(10)]
        await produce(kafka.bootstrap, topics.requests, records, compression_type=codec, linger_ms=50)
    async with intake(kafka, topics) as running:
        await running.passed(50)
        assert counted(running.meter, "requests_read") == 50
    assert await delivered(kafka, topics) == list(range(50))
    assert await dead_letters(kafka, topics) == []
    assert (await committed(kafka.bootstrap, group_of(topics)))[topics.requests, 0] == 50


async def test_aborted_records_never_come_out(kafka: RunningKafka, topics: Topics) -> None:
    """What a transactional producer took back is not sent, what it committed is, and its markers stop nobody."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=f"{topics.prefix}tx")
    await producer.start()
    try:
        for first, keep in ((0, True), (10, False), (20, True), (30, False)):
            await producer.begin_transaction()
            for number in range(first, first + 10):
                await producer.send_and_wait(topics.requests, request(number), partition=0)
            await (producer.commit_transaction() if keep else producer.abort_transaction())
    finally:
        await producer.stop()
    await produce(kafka.bootstrap, topics.requests, [(None, request(40), 0)])
    async with intake(kafka, topics) as running:
        await running.passed(45)
        assert counted(running.meter, "offsets_gone", topic=topics.requests) == 0
    assert await delivered(kafka, topics) == [*range(10), *range(20, 30), 40]


async def test_others_have_their_turn_while_much_is_read(kafka: RunningKafka, topics: Topics) -> None:
    """However many requests a fetch brings, deliver waits for no more than a hundred of them."""
    await produce(
        kafka.bootstrap, topics.requests, [(None, request(number), 0) for number in range(1_000)], linger_ms=50
    )
    read, at_turns = 0, [0]

    def counting(value: bytes | None, headers: Any, now_ms: int, book: PolicyBook) -> Accepted | Refused:
        nonlocal read
        read += 1
        return _read(value, headers, now_ms, book)

    async def take_turns() -> None:
        while True:
            at_turns.append(read)
            await asyncio.sleep(0)

    turns = asyncio.create_task(take_turns())
    try:
        async with intake(kafka, topics, counting) as running:
            await running.passed(1_000)
    finally:
        turns.cancel()
    assert max(later - earlier for earlier, later in pairwise(at_turns)) <= 100


async def test_records_that_are_gone_are_told_of(
    kafka: RunningKafka, topics: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has read them, and retention has taken them away: intake goes on, counts them and says so (C7)."""
    await produce(kafka.bootstrap, topics.requests, [(None, request(number), 0) for number in range(30)])
    await commit_as(kafka.bootstrap, group_of(topics), {(topics.requests, 0): 5})
    await delete_before(kafka.bootstrap, topics.requests, 0, 12)
    async with intake(kafka, topics) as running:
        await running.passed(30)
        assert counted(running.meter, "offsets_gone", topic=topics.requests) == 7
        # Under a running one, too, whose client goes on without a word where the log begins.
        reader = running.intake._reader
        assert reader is not None
        reader.consumer.pause(TopicPartition(topics.requests, 0))
        await produce(kafka.bootstrap, topics.requests, [(None, request(number), 0) for number in range(30, 50)])
        await delete_before(kafka.bootstrap, topics.requests, 0, 40)
        reader.consumer.resume(TopicPartition(topics.requests, 0))
        await running.passed(50)
        assert counted(running.meter, "offsets_gone", topic=topics.requests) == 17
    assert await delivered(kafka, topics) == [*range(12, 30), *range(40, 50)]
    assert "the log now begins at 12; 7 records are gone" in caplog.text


@pytest.mark.parametrize(
    ("codec", "checksum"),
    [("zstd", True), ("lz4", True), ("snappy", True), ("gzip", True), (None, True), (None, False)],
)
async def test_a_batch_that_cannot_be_decoded_is_passed_over(
    kafka: RunningKafka, topics: Topics, codec: str | None, checksum: bool
) -> None:
    """Each of its records is dead-lettered by its coordinates; those around it and on other partitions are delivered."""
    for first in (0, 5, 8):
        last = {0: 5, 5: 8, 8: 12}[first]
        records = [(None, request(number), 1) for number in range(first, last)]
        await produce(kafka.bootstrap, topics.requests, records, compression_type=codec, linger_ms=50)
    for partition in (0, 2, 3):
        records = [(None, request(100 * (partition + 1) + number), partition) for number in range(20)]
        await produce(kafka.bootstrap, topics.requests, records, linger_ms=50)
    await asyncio.to_thread(damage, kafka.broker.data_dir, topics.requests, 1, 5, checksum=checksum)
    async with intake(kafka, topics) as running:
        await running.passed(72)
        assert counted(running.meter, "requests_undecodable") == 3
        await produce(kafka.bootstrap, topics.requests, [(None, request(12), 1)])
        await running.passed(73)
    others = [*range(100, 120), *range(300, 320), *range(400, 420)]
    assert await delivered(kafka, topics) == [*range(5), *range(8, 13), *others]
    letters = await dead_letters(kafka, topics)
    assert [(letter.origin.partition, letter.origin.offset) for letter in letters] == [(1, 5), (1, 6), (1, 7)]
    assert all("the batch that holds this record cannot be decoded" in letter.reason for letter in letters)
    stands = await committed(kafka.bootstrap, group_of(topics))
    assert {stands[topics.requests, number] for number in (0, 2, 3)} == {20}
    assert stands[topics.requests, 1] == 13


POISON: list[tuple[bytes | None, str | None, str]] = [
    (None, None, "no value"),
    (b"", None, "no value"),
    (b"\x00\xff\xfe", None, "no JSON"),
    (b"[1]", None, "JSON object"),
    (b'{"url":"https://example.com"', None, "no JSON"),
    (b"[" * 100_000, None, "no JSON"),
    (b'{"method":"POST"}', "url", "url"),
    (b'{"url":7}', "url", "url"),
    (b'{"url":"ftp://example.com"}', "url", "http"),
    (b'{"url":"https://example.com","timeout_ms":-1}', "timeout_ms", "timeout_ms"),
    (b'{"url":"https://example.com","timeout_ms":true}', "timeout_ms", "timeout_ms"),
    (b'{"url":"https://example.com","method":"TRACE"}', "method", "method"),
    (b'{"url":"https://example.com","headers":{"a b":"c"}}', "headers", "headers"),
    (b'{"url":"https://example.com","headers":{"a":"b\\r\\nc: d"}}', "headers", "headers"),
    (b'{"url":"https://example.com","body_base64":"?"}', "body_base64", "base64"),
    (b'{"url":"https://example.com","colour":"red"}', "colour", "colour"),
    (b'{"url":"https://example.com","send_at":"soon"}', "send_at", "send_at"),
    (b'{"specversion":"0.3","url":"https://example.com"}', "data", "CloudEvents"),
]


async def test_poison_becomes_dead_letters_that_name_the_field(kafka: RunningKafka, topics: Topics) -> None:
    """Nothing crashes or stalls: each bad value ends as a dead letter, whole, and as a ``rejected`` result (A5)."""
    records = [(b"k%d" % place, value, 2) for place, (value, _, _) in enumerate(POISON)]
    await produce(kafka.bootstrap, topics.requests, [*records, (None, request(1), 2)])
    async with intake(kafka, topics) as running:
        await running.passed(len(POISON) + 1)
    assert await delivered(kafka, topics) == [1]
    letters = await dead_letters(kafka, topics)
    assert len(letters) == len(POISON)
    for place, (letter, (value, field, reason)) in enumerate(zip(letters, POISON, strict=True)):
        assert (letter.key, letter.value or None, letter.origin.offset) == (b"k%d" % place, value or None, place)
        assert (letter.field or "").split(".")[0] == (field or ""), letter
        assert reason in letter.reason, letter
    results = [orjson.loads(record.value) for record in await records_of(kafka.bootstrap, [topics.results])]
    assert len(results) == len(POISON)
    assert all(result["outcome"] == "rejected" and result["final"] for result in results)
    assert len({result["task"] if "task" in result else result["task_id"] for result in results}) == len(POISON)


async def test_a_fault_of_ours_on_one_record_stops_nobody(kafka: RunningKafka, topics: Topics) -> None:
    """A bug in reading is counted, its record kept whole as a dead letter, and the next record is delivered."""

    def read(value: bytes | None, headers: Any, now_ms: int, book: PolicyBook) -> Accepted | Refused:
        if value == request(1):
            raise ZeroDivisionError("a bug")
        return _read(value, headers, now_ms, book)

    await produce(kafka.bootstrap, topics.requests, [(None, request(number), 0) for number in range(3)])
    async with intake(kafka, topics, read) as running:
        await running.passed(3)
        assert counted(running.meter, "faults") == 1
    assert await delivered(kafka, topics) == [0, 2]
    (letter,) = await dead_letters(kafka, topics)
    assert (letter.value, letter.reason) == (request(1), "fault of ours: ZeroDivisionError('a bug')")


async def test_a_second_intake_loses_nothing(kafka: RunningKafka, topics: Topics) -> None:
    """While records come in, another joins and the first leaves: every record is delivered, and few are read twice."""
    total = 2_000

    async def feed() -> None:
        for first in range(0, total, 50):
            records = [(None, request(number), number % 4) for number in range(first, first + 50)]
            await produce(kafka.bootstrap, topics.requests, records)

    async with intake(kafka, topics) as two:
        async with intake(kafka, topics) as one:
            feeding = asyncio.create_task(feed())
            await until(lambda: one.handled > 100 and two.handled > 100, 20)
        await feeding
        await two.passed(total)
    stands = await committed(kafka.bootstrap, group_of(topics))
    assert sum(offset for (topic, _), offset in stands.items() if topic == topics.requests) == total
    found = await delivered(kafka, topics)
    assert sorted(set(found)) == list(range(total))
    # What is read twice becomes the same task, by its derived id.
    ids = {decode_delivery(each.value).task_id for each in await records_of(kafka.bootstrap, [topics.deliveries])}
    assert len(ids) == total
