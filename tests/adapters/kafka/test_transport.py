"""The transport on the real broker: what is read, what is committed, and what a rebalance does to both."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streamer.adapters.kafka.keeper import RawFetch
from streamer.adapters.kafka.ownership import OwnershipLimits
from streamer.wire.topics import Topics
from tests.adapters.kafka.rig import Member, SteeredStage, Taken, member, numbered
from tests.adapters.kafka.support import committed, produce
from tests.support.broker import PARTITIONS, RunningKafka
from tests.support.waiting import until

pytestmark = pytest.mark.broker


async def test_only_the_finished_prefix_is_committed(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """Records end in any order; what stands committed never passes one that is unfinished (RULES 3, 6)."""
    stage = SteeredStage(wants_finished=lambda _: False)
    await produce(kafka.bootstrap, topics.deliveries, numbered(300, 1))
    async with member(kafka.bootstrap, topics, tmp_path, stage) as one:
        await until(lambda: len(stage.taken) == 300, 20)
        # Committed at once at the assignment, every partition of every topic, read or not (RULES 11).
        stands = await committed(kafka.bootstrap, one.group)
        assert {place: offset for place, offset in stands.items() if place[0] != topics.tasks_changelog} == {
            (topic, number): 0
            for topic in (topics.deliveries, topics.due, topics.control, topics.claims)
            for number in range(PARTITIONS)
        }
        place, pinned = (topics.deliveries, 1), 120
        order = random.Random(7).sample([one for one in stage.taken if one.offset != pinned], 299)
        unfinished: set[int] = set()
        for half in (order[:150], order[150:]):
            for each in half:
                each.finish()
            await one.consumer.force_commit()
            unfinished = {each.offset for each in stage.taken if each.offset in each.window._unfinished}
            assert (await committed(kafka.bootstrap, one.group))[place] == min(unfinished)
        assert unfinished == {pinned}
        stage.taken[pinned].finish()
        await one.consumer.force_commit()
        assert (await committed(kafka.bootstrap, one.group))[place] == 300


async def test_the_changelog_is_not_fetched_once_it_is_recovered(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """What the worker writes there itself it need not read; after a rebalance it recovers, and rests again (RULES 29)."""

    def resting(one: Member) -> set[int]:
        paused = one.client.paused()
        assert {tp.topic for tp in paused} <= {topics.tasks_changelog}
        return {tp.partition for tp in paused}

    async with member(kafka.bootstrap, topics, tmp_path / "1") as one:
        await one.owns(PARTITIONS)
        assert resting(one) == set(range(PARTITIONS))
        await produce(kafka.bootstrap, topics.tasks_changelog, [(b"k" * 16, None, n) for n in range(PARTITIONS)])
        async with member(kafka.bootstrap, topics, tmp_path / "2") as two:
            for each in (one, two):
                await each.owns(PARTITIONS // 2)
                assert resting(each) == each.partitions
            # The other's were written before it came, and it has recovered them.
            assert [two.ownership.applied_offset(number) for number in two.partitions] == [0] * (PARTITIONS // 2)
        await one.owns(PARTITIONS)
        assert resting(one) == set(range(PARTITIONS))


async def test_a_planned_rebalance_repeats_nothing_finished(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """When another joins and leaves, the finished prefix is committed first, and only the rest is read again (RULES 30)."""
    unfinished = {(0, 97), (1, 98), (2, 99), (3, 95)}
    stage, other = SteeredStage(lambda one: (one.partition, one.offset) not in unfinished), SteeredStage()
    for number in range(PARTITIONS):
        await produce(kafka.bootstrap, topics.deliveries, numbered(100, number))
    limits = OwnershipLimits(drain_s=0.2)
    # No commit by the clock: what is committed when the other joins is committed by the revoke.
    async with member(kafka.bootstrap, topics, tmp_path / "1", stage, limits=limits, commit_s=60) as one:
        await until(lambda: len(stage.taken) == 100 * PARTITIONS, 20)
        async with member(kafka.bootstrap, topics, tmp_path / "2", other, limits=limits) as two:
            await two.owns(PARTITIONS // 2)
            await one.owns(PARTITIONS // 2)
            assert one.partitions | two.partitions == set(range(PARTITIONS))

            def repeated() -> dict[tuple[int, int], list[int]]:
                return {
                    (number, offset): stage.offsets("deliveries", number)[100:] + other.offsets("deliveries", number)
                    for number, offset in unfinished
                }

            await until(lambda: all(99 in again for again in repeated().values()))
            assert repeated() == {(number, offset): list(range(offset, 100)) for number, offset in unfinished}
            assert all(
                (number in two.partitions) == bool(other.offsets("deliveries", number)) for number, _ in unfinished
            )
        await one.owns(PARTITIONS)


async def test_a_stage_that_never_drains_does_not_stop_the_group(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """Past the drain deadline the work is given up and its writes aborted, and the other member gets its share (RULES 10)."""
    stage, other = SteeredStage(wants_finished=lambda _: False), SteeredStage()
    for number in range(PARTITIONS):
        await produce(kafka.bootstrap, topics.deliveries, numbered(3, number))
    limits = OwnershipLimits(drain_s=1.0)
    async with member(kafka.bootstrap, topics, tmp_path / "1", stage, limits=limits) as one:
        await until(lambda: len(stage.taken) == 3 * PARTITIONS, 20)
        began_at = time.monotonic()
        async with member(kafka.bootstrap, topics, tmp_path / "2", other, limits=limits) as two:
            await two.owns(PARTITIONS // 2, 10)
            assert time.monotonic() - began_at < 8
            assert stage.drains[0] is False
            assert one.aborts[0] >= 1
            assert {owned.number for owned in stage.given_up} == set(range(PARTITIONS))
            assert not any(owned.open for owned in stage.given_up)
            await until(lambda: len(other.taken) == 3 * PARTITIONS // 2)
            await one.owns(PARTITIONS // 2)
            epochs = {number: owned.epoch for number, owned in one.ownership.assignment.owned.items()}
            assert all(epochs[owned.number] > owned.epoch for owned in stage.given_up if owned.number in epochs)
            # A record ends late, after its partition has gone: the window of the new assignment knows nothing of it.
            for each in stage.taken[: 3 * PARTITIONS]:
                each.finish()
            assert all(window.committable == 0 for tp, window in one.ownership.assignment.windows.items())


async def test_an_agent_gets_one_event_for_all_its_partitions_of_a_fetch(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """ADR 0011: batches of several partitions and topics come together, and never those of two agents."""
    stage, fetches = SteeredStage(), list[RawFetch]()
    sources = (topics.deliveries, topics.due, topics.claims)
    for topic in sources:
        for number in range(PARTITIONS):
            await produce(kafka.bootstrap, topic, numbered(3, number))
    async with member(kafka.bootstrap, topics, tmp_path, stage, starts=False) as one:
        getmany = one.consumer.getmany

        async def noted(**wait: float) -> AsyncIterator[tuple[Any, Any]]:
            async for tp, message in getmany(**wait):
                fetches.append(message.value)
                yield tp, message

        one.consumer.getmany = noted
        await one.start()
        await until(lambda: len(stage.taken) == 3 * PARTITIONS * len(sources), 20)
    places = [[(batch.topic, batch.partition) for batch in fetch.batches] for fetch in fetches]
    everywhere = sorted((topic, number) for topic in sources for number in range(PARTITIONS))
    assert sorted(itertools.chain.from_iterable(places)) == everywhere
    assert all(len({topic == topics.claims for topic, _ in fetch}) == 1 for fetch in places)
    assert max(len({number for _, number in fetch}) for fetch in places) > 1
    assert len(fetches) < PARTITIONS * len(sources)


async def test_faust_keeps_nothing_of_a_fetch_that_is_done(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """What Faust notes of acknowledged messages it forgets when it commits, and here it never does."""
    async with member(kafka.bootstrap, topics, tmp_path, stage := SteeredStage()) as one:
        await one.owns(PARTITIONS)
        for number in range(PARTITIONS):
            await produce(kafka.bootstrap, topics.deliveries, numbered(3, number))
        await until(lambda: len(stage.taken) == 3 * PARTITIONS, 20)
        consumer = one.consumer
        await until(lambda: not consumer.unacked)
        assert not any(consumer._acked.values())
        assert not any(consumer._acked_index.values())


async def test_a_full_window_withholds_its_partition_only(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """Nothing awaits capacity: one partition is not fetched for now, the others and control go on (RULES 15)."""

    def wants_finished(one: Taken) -> bool:
        return not (one.source == "deliveries" and one.partition == 2)

    stage = SteeredStage(wants_finished)
    limits = OwnershipLimits(window_records=50, drain_s=0.5)
    async with member(kafka.bootstrap, topics, tmp_path, stage, limits=limits, max_poll_records=50) as one:
        await one.owns(PARTITIONS)
        await produce(kafka.bootstrap, topics.deliveries, numbered(2_000, 2))
        await until(lambda: any(window.full for window in one.ownership.assignment.windows.values()))
        held = len(stage.offsets("deliveries", 2))
        for topic in (topics.control, topics.due):
            await produce(kafka.bootstrap, topic, numbered(400, 2))
        await until(lambda: len(stage.offsets("control", 2)) == len(stage.offsets("due", 2)) == 400)
        await produce(kafka.bootstrap, topics.deliveries, numbered(400, 1))
        await until(lambda: len(stage.offsets("deliveries", 1)) == 400)
        assert len(stage.offsets("deliveries", 2)) <= held + 50 < 2_000
        stage.wants_finished = lambda _: True
        for each in stage.taken:
            each.finish()
        await until(lambda: len(stage.offsets("deliveries", 2)) == 2_000)
        assert stage.offsets("deliveries", 2) == list(range(2_000))


async def test_control_is_read_over_its_own_full_window(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """Commands are never withheld, however many of them wait for the ends of their tasks (RULES 15)."""
    stage = SteeredStage(wants_finished=lambda _: False)
    limits = OwnershipLimits(window_records=50, drain_s=0.1)
    async with member(kafka.bootstrap, topics, tmp_path, stage, limits=limits, max_poll_records=50) as one:
        await one.owns(PARTITIONS)
        await produce(kafka.bootstrap, topics.control, numbered(500, 0))
        await until(lambda: len(stage.taken) == 500)


async def test_the_consumer_is_built_as_it_must_be(kafka: RunningKafka, topics: Topics, tmp_path: Path) -> None:
    """Faust's own fetch wait stalls half a second at a time, and its partition bytes fill memory (RULES 29, 38)."""
    async with member(kafka.bootstrap, topics, tmp_path) as one:
        await one.owns(PARTITIONS)
        fetcher = one.client._fetcher
        assert 0 < fetcher._fetch_max_wait_ms <= 100
        assert fetcher._max_partition_fetch_bytes == 128 * 1024
        assert one.client._enable_auto_commit is False
        assert one.client._session_timeout_ms == 6_000
        assert one.app.conf.web_enabled is False
        assert one.app.conf.table_standby_replicas == 0
        assert one.app.producer._producer is None
