"""Ways to lose what is owned: the lease, a fault of ours in the agent, and a bounce under a static name."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.ownership import OwnershipLimits
from streamer.core.entry import pack
from streamer.flow.owned import Batch
from streamer.wire.topics import Topics
from tests.adapters.kafka.rig import SteeredStage, Taken, member, numbered
from tests.adapters.kafka.support import committed, counted, produce
from tests.adapters.store.samples import digest, entry
from tests.support.broker import PARTITIONS, RunningKafka
from tests.support.waiting import until

pytestmark = pytest.mark.broker

SESSION_S = 6.0


class Jumping:
    """The machine's monotonic clock, which a test lets jump ahead, as it does for a process that was stopped."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


async def test_without_the_lease_everything_is_given_up_and_comes_back_younger(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """Work is cancelled, writes aborted and nothing committed; a rejoin brings the partitions back under a higher epoch."""

    def wants_finished(one: Taken) -> bool:
        return one.offset < 10

    clock, stage = Jumping(), SteeredStage(wants_finished)
    lease = HeartbeatLease(SESSION_S, clock)
    await produce(kafka.bootstrap, topics.deliveries, numbered(30, 1))
    async with member(kafka.bootstrap, topics, tmp_path, stage, lease=lease, commit_s=60) as one:
        await until(lambda: len(stage.taken) == 30, 20)
        owned = dict(one.ownership.assignment.owned)
        assert all(each.may_act() for each in owned.values())
        clock.ahead_s = SESSION_S
        # Lost by the clock alone, before anybody has noticed: the right is asked before every call and write.
        assert not any(each.may_act() for each in owned.values())
        await until(lambda: one.aborts[0] and not any(each.open for each in owned.values()))
        assert set(stage.given_up) >= set(owned.values())
        assert (await committed(kafka.bootstrap, one.group))[topics.deliveries, 1] == 0
        clock.ahead_s = 0.0
        await until(lambda: len(stage.taken) >= 60, 20)
        assert stage.offsets("deliveries", 1)[-30:] == list(range(30))
        back = one.ownership.assignment.owned
        assert set(back) == set(owned)
        assert all(back[number].epoch > owned[number].epoch for number in owned)
        assert counted(one.meter, "leases_lost") >= 1
        # What ended under the old assignment moves nothing in the new one.
        for each in stage.taken[:30]:
            each.finish()
        await one.consumer.force_commit()
        assert (await committed(kafka.bootstrap, one.group))[topics.deliveries, 1] == 10


async def test_an_assignment_that_comes_during_an_abort_has_its_tables_whole(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """The broker may hand out partitions again before a producer is shut: nothing of what is then recovered may be dropped."""
    clock, aborting = Jumping(), asyncio.Event()
    lease = HeartbeatLease(SESSION_S, clock)
    for number in range(PARTITIONS):
        entries = [(digest(task), pack(entry(1)), number) for task in range(20)]
        await produce(kafka.bootstrap, topics.tasks_changelog, entries)
    async with member(kafka.bootstrap, topics, tmp_path, lease=lease, aborting=aborting) as one:
        await one.owns(PARTITIONS)
        assert {len(one.ownership.local(number).table) for number in range(PARTITIONS)} == {20}
        clock.ahead_s = SESSION_S
        await until(lambda: bool(one.aborts[0]))
        clock.ahead_s = 0.0
        generation = one.client._coordinator.generation
        one.consumer.rejoin()
        await until(lambda: one.client._coordinator.generation > generation, 20)
        assert not one.ownership.ready.is_set()
        aborting.set()
        await one.owns(PARTITIONS)
        assert {len(one.ownership.local(number).table) for number in range(PARTITIONS)} == {20}


async def test_a_fault_in_the_agent_ends_the_worker(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """Faust would ack the batch and go on; the worker must end instead, loudly, and the next one reads it again (H5)."""

    def raise_at_twenty(batch: Batch) -> None:
        if any(offset == 20 for offset, _, _ in batch.records):
            raise ZeroDivisionError("a bug on one batch")

    stage = SteeredStage(on_batch=raise_at_twenty)
    async with member(kafka.bootstrap, topics, tmp_path, stage) as one:
        await one.owns(PARTITIONS)
        await produce(kafka.bootstrap, topics.deliveries, numbered(20, 1))
        await until(lambda: len(stage.taken) == 20)
        await produce(kafka.bootstrap, topics.deliveries, numbered(5, 1, start=20))
        await until(one.ownership.failed.done)
        assert "ZeroDivisionError('a bug on one batch')" in one.ownership.failed.result()
        assert f"{topics.deliveries}-1@20" in one.ownership.failed.result()
        assert counted(one.meter, "faults") >= 1
    assert (await committed(kafka.bootstrap, f"{topics.prefix}deliver"))[topics.deliveries, 1] == 20
    after = SteeredStage()
    async with member(kafka.bootstrap, topics, tmp_path, after):
        await until(lambda: len(after.taken) == 5, 20)
        assert after.offsets("deliveries", 1) == list(range(20, 25))


async def test_a_static_member_that_comes_back_has_a_higher_epoch(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """A bounce within the session is no rebalance, so the group's generation does not tell the two processes apart."""
    limits, epochs = OwnershipLimits(drain_s=0.2), {}
    async with member(kafka.bootstrap, topics, tmp_path, limits=limits, instance_id="w-1") as one:
        await one.owns(PARTITIONS)
        generation = one.ownership.assignment.generation
        for number, owned in one.ownership.assignment.owned.items():
            epochs[number] = owned.epoch
            written = pack(entry(1, epoch=owned.epoch))
            await produce(kafka.bootstrap, topics.tasks_changelog, [(digest(number), written, number)])
    async with member(kafka.bootstrap, topics, tmp_path, limits=limits, instance_id="w-1") as two:
        await two.owns(PARTITIONS)
        assert two.ownership.assignment.generation == generation
        assert all(two.ownership.assignment.owned[number].epoch > epoch for number, epoch in epochs.items())


async def test_a_static_member_that_is_replaced_ends_and_leaves_the_other_alone(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """A second process of one name takes everything; the first may send nothing more, ends, and does not come back (RULES 17)."""
    limits, stage = OwnershipLimits(drain_s=0.2), SteeredStage(lambda _: False)
    await produce(kafka.bootstrap, topics.deliveries, numbered(3, 1))
    async with member(kafka.bootstrap, topics, tmp_path / "2", limits=limits, instance_id="w-1", starts=False) as two:
        async with member(kafka.bootstrap, topics, tmp_path / "1", stage, limits=limits, instance_id="w-1") as one:
            await until(lambda: len(stage.taken) == 3, 20)
            before = dict(one.ownership.assignment.owned)
            await two.start()
            await two.owns(PARTITIONS)
            await until(one.ownership.failed.done)
            assert "another took its name" in one.ownership.failed.result()
            assert not any(owned.may_act() for owned in before.values())
            await until(lambda: one.aborts[0] and not one.ownership.assignment.owned)
        # The first has stopped, as a worker would, and took nothing with it.
        assert not two.ownership.failed.done()
        assert two.partitions == set(range(PARTITIONS))
        await until(lambda: len(two.stage.taken) == 3)
