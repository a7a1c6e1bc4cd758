"""What a stopped owner writes to a changelog of ours is noticed, wherever it lands between our own writes (RULES 4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streamer.adapters.kafka.late_writes import LateWrites
from streamer.adapters.kafka.local import Local
from streamer.adapters.kafka.outbox import KafkaOutbox
from streamer.adapters.kafka.producer import DurableProducer
from streamer.adapters.memory.lease import MemoryLease
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.entry import pack
from streamer.core.lifecycle import State
from streamer.flow.owned import Owned
from streamer.flow.restate import restate
from streamer.wire.outgoing import Encoder
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import produce, records_of
from tests.adapters.store.samples import digest, entry
from tests.support.broker import RunningKafka, administering

pytestmark = pytest.mark.broker

NUMBERS = (0, 1)
#: Kafka cleans what is not in the newest segment, and here each record begins one.
COMPACTED_AT_ONCE = {
    "cleanup.policy": "compact",
    "segment.ms": "1",
    "min.compaction.lag.ms": "0",
    "min.cleanable.dirty.ratio": "0",
}
#: Every half second, not every 15.
CLEANED_OFTEN = {"log.cleaner.backoff.ms": "500"}


@dataclass
class Owner:
    """Two partitions' stores, and the outbox by which their owner writes."""

    bootstrap: str
    topics: Topics
    outbox: KafkaOutbox
    locals_: dict[int, Local]
    late: LateWrites = field(init=False)

    def __post_init__(self) -> None:
        self.late = LateWrites({"bootstrap_servers": self.bootstrap}, self.topics.tasks_changelog)

    async def writes(self, number: int, *tasks: int, state: State = State.RETRYING) -> None:
        """Write entries as a stage does."""
        entries = {digest(task): entry(1, epoch=2, state=state) for task in tasks}
        await self.outbox.log([(number, key, each) for key, each in entries.items()])
        for key, each in entries.items():
            self.locals_[number].table.put(key, each)

    async def another_writes(self, number: int, *keys: bytes) -> None:
        """Let a stopped owner's writes land."""
        late = pack(entry(1, epoch=1))
        await produce(self.bootstrap, self.topics.tasks_changelog, [(key, late, number) for key in keys])

    async def noticed(self) -> list[set[bytes]]:
        """Look twice, and return what is known by then of each partition."""
        for _ in range(2):
            await self.late.look(self.locals_)
        return [self.locals_[number].table.outranked for number in NUMBERS]

    async def says_again(self, number: int) -> int:
        """Write again what holds in one partition."""
        local = self.locals_[number]
        owned = Owned(number, 2, local.table, local.claims, local.lanes, MemoryLease())
        return await restate(owned, self.outbox, lambda owned, key: None)

    async def compacted(self) -> list[Any]:
        """Have the changelog cleaned, and return what is left once no task has two records."""
        topic = self.topics.tasks_changelog
        async with administering(self.bootstrap) as admin:
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=COMPACTED_AT_ONCE)])
            node = str((await admin.describe_cluster())["brokers"][0]["node_id"])
            await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, node, configs=CLEANED_OFTEN)])
            try:
                return await self._cleaned(topic)
            finally:
                await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, node, configs={})])

    async def _cleaned(self, topic: str) -> list[Any]:
        async with asyncio.timeout(60):
            while True:
                # A record on each partition begins a segment, so that those before it can be cleaned.
                await produce(self.bootstrap, topic, [(b"lane:filler", b"", number) for number in NUMBERS])
                left = [each for each in await records_of(self.bootstrap, [topic]) if len(each.key) == len(digest(1))]
                if max(Counter((each.partition, each.key) for each in left).values()) == 1:
                    return left


@pytest.fixture
async def owner(kafka: RunningKafka, topics: Topics) -> AsyncIterator[Owner]:
    """Return the owner of two partitions."""
    locals_ = {number: Local(MemoryTable(), ClaimsOnDisk(":memory:")) for number in NUMBERS}
    producer = DurableProducer({"bootstrap_servers": kafka.bootstrap})

    def logged(number: int, first: int, last: int) -> None:
        locals_[number].logged(first, last)

    outbox = KafkaOutbox(producer, Encoder(topics), topics.tasks_changelog, logged)
    one = Owner(kafka.bootstrap, topics, outbox, locals_)
    yield one
    await one.late.close()
    await producer.close()
    for local in locals_.values():
        local.claims.close()


async def test_writes_between_and_behind_ours_are_noticed_and_ours_are_not(owner: Owner) -> None:
    """Only tasks' keys: lanes and claims have no owner whom a later one outranks."""
    await owner.writes(0, 1, 2)
    await owner.writes(1, 1)
    await owner.another_writes(0, digest(2), b"lane:x", digest(7))
    await owner.writes(0, 3)
    await owner.another_writes(0, digest(3))
    assert await owner.noticed() == [{digest(2), digest(7), digest(3)}, set()]


async def test_what_was_noticed_is_not_read_again(owner: Owner) -> None:
    """Once it is known the gap is closed, and the next one is found by itself."""
    await owner.another_writes(1, digest(1))
    assert await owner.noticed() == [set(), {digest(1)}]
    owner.locals_[1].table.outranked.clear()
    assert await owner.noticed() == [set(), set()]
    await owner.writes(1, 4)
    await owner.another_writes(1, digest(5))
    assert await owner.noticed() == [set(), {digest(5)}]


async def test_what_a_recovery_has_read_is_nobodys_gap(owner: Owner) -> None:
    """The table has judged it already, by the owners' epochs."""
    await owner.another_writes(0, digest(1), digest(2))
    local = owner.locals_[0]

    @dataclass
    class Record:
        offset: int
        key: bytes
        value: bytes

    local.recover([Record(offset, digest(offset + 1), pack(entry(1, epoch=1))) for offset in range(2)])
    await owner.writes(0, 9)
    assert await owner.noticed() == [set(), set()]
    assert len(local.table) == 3


async def test_what_is_said_again_outlives_compaction(owner: Owner) -> None:
    """Where nobody looked, Kafka keeps the late record alone, and whoever comes next reads a task that waits."""
    for number in NUMBERS:
        await owner.writes(number, 1, state=State.CANCELLED)
        await owner.another_writes(number, digest(1))
    assert await owner.noticed() == [{digest(1)}, {digest(1)}]
    assert await owner.says_again(0) == 1
    found = {number: MemoryTable() for number in NUMBERS}
    for record in await owner.compacted():
        found[record.partition].recover(record.key, record.value)
    states = {number: each.state for number, table in found.items() if (each := table.get(digest(1))) is not None}
    assert states == {0: State.CANCELLED, 1: State.RETRYING}
