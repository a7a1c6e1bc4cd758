"""Hold on the real tiers: never early, soon after, none lost whatever the group does (RULES 19–21; C1, C4, C5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from streamer.adapters.kafka.group_reader import ReaderOptions
from streamer.adapters.kafka.lag_watch import CROWDED
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.kafka.tier_log import KafkaTierLog
from streamer.adapters.kafka.unreadable import unreadable_record
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.system import SystemClock
from streamer.core.ladder import next_hop
from streamer.flow.hold import Hold
from streamer.ports import Clock
from streamer.wire.dead_letter_record import decode_dead_letter
from streamer.wire.header_names import DUE_AT_MS, RELEASE_AT_MS, TASK
from streamer.wire.outgoing import Encoder
from streamer.wire.topics import Topics
from tests.adapters.kafka.rig import SteeredStage, member
from tests.adapters.kafka.support import commit_as, committed, counted, delete_before, produce, records_of
from tests.support.broker import PARTITIONS, SHORT_TIERS, RunningKafka
from tests.support.waiting import until

pytestmark = pytest.mark.broker

LATE_MS = 500


@dataclass(frozen=True, slots=True)
class Wait:
    """A record to lay on a tier."""

    task: str
    partition: int
    tier: str
    release_at_ms: int
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class Running:
    """A hold at work."""

    hold: Hold
    tiers: KafkaTierLog
    meter: PrometheusMeter
    task: asyncio.Task[None]

    @property
    def in_hand(self) -> int:
        """How many records it keeps."""
        return sum(self.hold.held().values())

    @property
    def partitions(self) -> int:
        """How many partitions it has."""
        return len(self.tiers.places())

    def released(self) -> int:
        """Return how many records it has released, onto tiers or to ``due``."""
        return int(sum(counted(self.meter, "records_released", tier=tier.name) for tier in SHORT_TIERS))


class Forward:
    """The machine's clock, which a test puts forward."""

    def __init__(self) -> None:
        self.ahead_ms = 0
        self._clock = SystemClock()
        self.monotonic_ms, self.sleep_ms = self._clock.monotonic_ms, self._clock.sleep_ms

    def now_ms(self) -> int:
        """Return the wall clock as it is put."""
        return self._clock.now_ms() + self.ahead_ms


@asynccontextmanager
async def holding(kafka: RunningKafka, topics: Topics, clock: Clock | None = None) -> AsyncIterator[Running]:
    """Run hold for the length of the block, as a worker would."""
    options, lease, meter = {"bootstrap_servers": kafka.bootstrap}, HeartbeatLease(6.0), PrometheusMeter()
    clock, encode = clock or SystemClock(), Encoder(topics)
    producer = DurableProducer(options, may_write=lease.held)
    names = list(topics.retries.values())
    tiers = KafkaTierLog(
        ReaderOptions(options, f"{topics.prefix}hold", names, session_s=6, heartbeat_s=0.2, commit_interval_s=0.2),
        topics,
        deliver_group=f"{topics.prefix}deliver",
        producer=producer,
        lease=lease,
        meter=meter,
        unreadable=lambda record, error: encode(unreadable_record(record, error, clock.now_ms())),
    )
    hold = Hold(tiers, clock, meter, topics.tiers)
    task = asyncio.create_task(tiers.run(hold))
    try:
        yield Running(hold, tiers, meter, task)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await producer.close()


def now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


async def lay(kafka: RunningKafka, topics: Topics, waits: Sequence[Wait]) -> None:
    """Put records on tiers, as deliver does."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=5) as producer:
        sent = [
            await producer.send(
                topics.retry(wait.tier),
                wait.task.encode(),
                key=b"lane",
                partition=wait.partition,
                headers=[
                    (TASK, wait.task.encode()),
                    (DUE_AT_MS, b"%d" % wait.due_at_ms),
                    (RELEASE_AT_MS, b"%d" % wait.release_at_ms),
                ],
            )
            for wait in waits
        ]
        await asyncio.gather(*sent)


def waiting(tag: str, count: int, wait_ms: int, partition: int, step_ms: int = 0) -> list[Wait]:
    """Return records that wait, each on the tier that its wait asks for, due ``step_ms`` one after the other."""
    at_ms, out = now_ms(), []
    for number in range(count):
        due_at_ms = at_ms + wait_ms + number * step_ms
        hop = next_hop(SHORT_TIERS, at_ms, due_at_ms)
        assert hop is not None
        out.append(Wait(f"{tag}-{number}", partition, hop.tier.name, hop.release_at_ms, due_at_ms))
    return out


async def arrivals(kafka: RunningKafka, topics: Topics, waits: Sequence[Wait]) -> dict[str, list[int]]:
    """Return how late each record stood on ``due``, by the broker's clock; checks that it came as it was laid."""
    by_task = {wait.task: wait for wait in waits}
    late: dict[str, list[int]] = {}
    for record in await records_of(kafka.bootstrap, [topics.due]):
        wait = by_task[record.value.decode()]
        headers = dict(record.headers)
        assert (record.partition, record.key) == (wait.partition, b"lane")
        assert headers == {TASK: wait.task.encode(), DUE_AT_MS: b"%d" % wait.due_at_ms}
        late.setdefault(wait.task, []).append(record.timestamp - wait.due_at_ms)
    return late


async def test_nothing_comes_early_and_nothing_late(kafka: RunningKafka, topics: Topics) -> None:
    """Over every tier, and over several hops, each record stands on ``due`` at its time, −0/+0.5 s."""
    async with holding(kafka, topics) as running:
        await until(lambda: running.partitions == len(SHORT_TIERS) * PARTITIONS, 20)
        waits = [
            *waiting("short", 50, 150, 0, step_ms=1),
            *waiting("second", 50, 900, 1, step_ms=2),
            *waiting("long", 50, 1_900, 2, step_ms=2),
            *waiting("hops", 50, 3_150, 3, step_ms=2),
        ]
        assert {wait.tier for wait in waits} == {tier.name for tier in SHORT_TIERS}
        assert any(wait.release_at_ms < wait.due_at_ms for wait in waits)
        await lay(kafka, topics, waits)
        await until(lambda: running.released() >= 250, 10)
    late = await arrivals(kafka, topics, waits)
    assert {task: len(each) for task, each in late.items()} == {wait.task: 1 for wait in waits}
    assert min(min(each) for each in late.values()) >= 0
    assert max(max(each) for each in late.values()) <= LATE_MS


async def test_a_far_head_pauses_its_partition_only(kafka: RunningKafka, topics: Topics) -> None:
    """Behind a head that is far off nothing is read on, nothing is read twice, and the other partitions go on."""
    at_ms = now_ms()
    far = [Wait(f"far-{n}", 0, "2s", at_ms + 600_000, at_ms + 600_000) for n in range(4_000)]
    await lay(kafka, topics, far)
    async with holding(kafka, topics) as running:
        await until(lambda: running.in_hand, 20)
        waits = waiting("near", 40, 300, 1, step_ms=5)
        await lay(kafka, topics, waits)
        await until(lambda: running.released() == 40)
        assert running.tiers._reader is not None
        consumer, head = running.tiers._reader.consumer, TopicPartition(topics.retry("2s"), 0)
        position = await consumer.position(head)
        # One fetch of it, and no more until its time comes near.
        assert running.hold.held()["2s", 0] == position < 4_000
        assert head in consumer.paused()
    late = await arrivals(kafka, topics, waits)
    assert len(late) == 40
    assert 0 <= min(min(each) for each in late.values()) <= max(max(each) for each in late.values()) <= LATE_MS
    assert (await committed(kafka.bootstrap, f"{topics.prefix}hold"))[head.topic, 0] == 0


async def test_a_rebalance_over_a_paused_backlog_drops_nothing(kafka: RunningKafka, topics: Topics) -> None:
    """Two share the partitions; a backlog in hand moves with them when one joins, and again when one leaves (C4, C5)."""
    every = len(SHORT_TIERS) * PARTITIONS
    async with holding(kafka, topics) as one:
        await until(lambda: one.partitions == every, 20)
        waits = [wait for number in range(PARTITIONS) for wait in waiting(f"p{number}", 75, 1_200, number, step_ms=10)]
        await lay(kafka, topics, waits)
        await until(lambda: one.in_hand > 100)
        async with holding(kafka, topics) as two:
            await until(lambda: one.partitions + two.partitions == every and 0 < two.partitions < every, 20)
            await until(lambda: two.released() > 0)
        await until(lambda: one.partitions == every, 20)
        await until(lambda: not one.in_hand and one.released() + two.released() >= len(waits), 20)
        await one.tiers._reader.commit()  # type: ignore[union-attr]
    late = await arrivals(kafka, topics, waits)
    assert set(late) == {wait.task for wait in waits}
    assert min(min(each) for each in late.values()) >= 0
    # A round that was being written when its partitions were taken comes again from the next owner, no more than that.
    assert sum(len(each) - 1 for each in late.values()) <= 80
    stands = await committed(kafka.bootstrap, f"{topics.prefix}hold")
    assert sum(stands.values()) == len(waits)


async def test_release_stops_where_deliver_is_far_behind(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """A partition of ``due`` with a lag above the bound gets no more until deliver has read on; others do (RULES 20).

    What deliver has in hand is no lag, though its committed offset stands before it: a lane may keep a task for long.
    """
    group = f"{topics.prefix}deliver"
    await produce(kafka.bootstrap, topics.due, [(b"lane", b"backlog", 1)] * (CROWDED + 1), linger_ms=5)
    await commit_as(kafka.bootstrap, group, {(topics.due, number): 0 for number in range(PARTITIONS)})
    async with holding(kafka, topics) as running:
        await until(lambda: running.tiers.crowded(1), 20)
        assert not running.tiers.crowded(0)
        await lay(kafka, topics, [*waiting("free", 5, 100, 0), *waiting("held", 5, 100, 1)])
        await until(lambda: running.released() == 5)
        await until(lambda: running.in_hand == 5)
        assert running.hold.held()["200ms", 1] == 5
        assert running.released() == 5
        stage = SteeredStage(wants_finished=lambda _: False)
        async with member(kafka.bootstrap, topics, tmp_path, stage):
            await until(lambda: running.released() == 10, 20)
            assert len(stage.offsets("due", 1)) > CROWDED
            assert (await committed(kafka.bootstrap, group))[topics.due, 1] == 0


async def test_a_strangers_record_on_a_tier_is_kept_as_a_dead_letter(kafka: RunningKafka, topics: Topics) -> None:
    """A record without our headers does not stop the partition; it is kept whole, and the header is named."""
    await produce(kafka.bootstrap, topics.retry("1s"), [(b"k", b"stranger", 2)])
    async with holding(kafka, topics) as running:
        waits = [Wait("ours-0", 2, "1s", now_ms(), now_ms())]
        await lay(kafka, topics, waits)
        await until(lambda: running.released() == 1, 20)
    (found,) = await records_of(kafka.bootstrap, [topics.dead_letter])
    letter = decode_dead_letter(found.value)
    assert (letter.value, letter.field) == (b"stranger", RELEASE_AT_MS)
    assert (letter.origin.topic, letter.origin.offset) == (topics.retry("1s"), 0)
    assert (await committed(kafka.bootstrap, f"{topics.prefix}hold"))[topics.retry("1s"), 2] == 2


async def test_what_a_tier_has_lost_is_counted(kafka: RunningKafka, topics: Topics) -> None:
    """Records deleted below the position are an alarm, and the tier goes on behind them (RULES 3)."""
    at_ms = now_ms()
    # Two fetches' worth: the first is kept, and its far head withholds the second.
    body = "x" * 1_000
    far = [Wait(f"{n}-{body}", 3, "2s", at_ms + 600_000, at_ms + 600_000) for n in range(400)]
    await lay(kafka, topics, far)
    clock = Forward()
    async with holding(kafka, topics, clock) as running:
        await until(lambda: running.in_hand, 20)
        kept = running.in_hand
        assert kept < 400
        await delete_before(kafka.bootstrap, topics.retry("2s"), 3, 390)
        clock.ahead_ms = 600_000
        await until(lambda: running.released() == kept + 10, 15)
        assert counted(running.meter, "offsets_gone", topic=topics.retry("2s")) == 390 - kept
