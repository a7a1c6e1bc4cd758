"""Gaps in what is read: read again where nothing is gone, passed over and counted where the log has lost it (RULES 3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.flow.owned import Batch
from streamer.wire.topics import Topics
from tests.adapters.kafka.rig import SteeredStage, member, numbered
from tests.adapters.kafka.support import commit_as, committed, counted, delete_before, produce
from tests.support.broker import PARTITIONS, RunningKafka
from tests.support.waiting import until

pytestmark = pytest.mark.broker


async def test_a_batch_that_was_dropped_is_read_again(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """The next batch shows the hole; everything comes in order, once, and the hole is counted."""
    stage = SteeredStage()
    async with member(kafka.bootstrap, topics, tmp_path, stage, max_poll_records=100) as one:
        await one.owns(PARTITIONS)
        await produce(kafka.bootstrap, topics.deliveries, numbered(50, 0))
        await until(lambda: len(stage.taken) == 50)

        dropped: list[int] = []

        def drop_once(batch: Batch) -> None:
            if not dropped:
                dropped.append(len(batch.records))
                batch.records.clear()

        stage.on_batch = drop_once
        await produce(kafka.bootstrap, topics.deliveries, numbered(150, 0, start=50))
        await until(lambda: dropped)
        await produce(kafka.bootstrap, topics.deliveries, numbered(50, 0, start=200))
        await until(lambda: len(stage.taken) == 250)
        assert stage.offsets("deliveries", 0) == list(range(250))
        assert counted(one.meter, "offset_holes", topic="deliveries") >= 1
        assert counted(one.meter, "offsets_gone", topic=topics.deliveries) == 0


async def test_what_the_log_has_lost_is_passed_over_and_counted(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """Records deleted below the position are gone: an alarm counts them, and the partition goes on behind them."""
    stage = SteeredStage()
    async with member(kafka.bootstrap, topics, tmp_path, stage) as one:
        await one.owns(PARTITIONS)
        await produce(kafka.bootstrap, topics.due, numbered(50, 3))
        await until(lambda: len(stage.taken) == 50)
        tp = next(tp for tp in one.ownership.assignment.windows if (tp.topic, tp.partition) == (topics.due, 3))
        # Withheld, so that the records are deleted before they are read.
        stage.on_batch = lambda batch: batch.records.clear()
        await produce(kafka.bootstrap, topics.due, numbered(60, 3, start=50))
        await until(lambda: one.consumer.highwater(tp) == 110)
        await delete_before(kafka.bootstrap, topics.due, 3, 100)
        stage.on_batch = lambda _: None
        await produce(kafka.bootstrap, topics.due, numbered(10, 3, start=110))
        await until(lambda: 119 in stage.offsets("due", 3))
        assert stage.offsets("due", 3) == [*range(50), *range(100, 120)]
        assert counted(one.meter, "offsets_gone", topic=topics.due) == 50
        await one.consumer.force_commit()
        assert (await committed(kafka.bootstrap, one.group))[topics.due, 3] == 120


@pytest.mark.parametrize(("stands", "expected"), [(5, range(40, 100)), (400, range(40, 100)), (70, range(70, 100))])
async def test_a_committed_offset_outside_the_log_is_clamped(
    kafka: RunningKafka, topics: Topics, tmp_path: Path, stands: int, expected: range
) -> None:
    """Below the log's beginning, or past its end: reading starts at the beginning, and goes on (B8)."""
    await produce(kafka.bootstrap, topics.deliveries, numbered(100, 1))
    await delete_before(kafka.bootstrap, topics.deliveries, 1, 40)
    await commit_as(kafka.bootstrap, f"{topics.prefix}deliver", {(topics.deliveries, 1): stands})
    stage = SteeredStage()
    async with member(kafka.bootstrap, topics, tmp_path, stage) as one:
        await until(lambda: 99 in stage.offsets("deliveries", 1), 20)
        assert stage.offsets("deliveries", 1) == list(expected)
        await one.consumer.force_commit()
        assert (await committed(kafka.bootstrap, one.group))[topics.deliveries, 1] == 100


async def test_a_first_read_begins_where_it_is_told(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """``--from latest`` leaves what is there and takes what comes; it is asked once, the offset stands from then on."""
    await produce(kafka.bootstrap, topics.deliveries, numbered(30, 1))
    stage = SteeredStage()
    async with member(kafka.bootstrap, topics, tmp_path, stage, from_latest=True) as one:
        await one.owns(PARTITIONS)
        assert (await committed(kafka.bootstrap, one.group))[topics.deliveries, 1] == 30
    await produce(kafka.bootstrap, topics.deliveries, numbered(10, 1, start=30))
    async with member(kafka.bootstrap, topics, tmp_path, stage, from_latest=True):
        await until(lambda: stage.taken)
    assert stage.offsets("deliveries", 1) == list(range(30, 40))
