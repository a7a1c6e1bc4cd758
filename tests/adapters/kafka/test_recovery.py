"""The table's recovery: our store from the changelog, fast, each key once, per partition and whole (RULES 4, 5, 7)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from faust.types import TP

from streamer.adapters.kafka.ownership import OwnershipLimits
from streamer.core.claims import pack_claim
from streamer.core.entry import Entry, pack
from streamer.core.lane_memory import LaneMemory, lane_digest, pack_lane
from streamer.core.lifecycle import State
from streamer.wire.topics import Topics
from tests.adapters.kafka.rig import SteeredStage, member, numbered
from tests.adapters.kafka.support import produce
from tests.adapters.store.samples import claim, digest, entry
from tests.support.broker import PARTITIONS, RunningKafka
from tests.support.waiting import until

pytestmark = pytest.mark.broker

EACH = 5_000
LIMITS = OwnershipLimits(drain_s=0.5)


async def fill(kafka: RunningKafka, topics: Topics, entries: dict[int, Entry]) -> None:
    """Write a changelog: for each partition the same keys."""
    records = [
        (digest(number), pack(value), partition) for partition in range(PARTITIONS) for number, value in entries.items()
    ]
    await produce(kafka.bootstrap, topics.tasks_changelog, records, linger_ms=5, max_batch_size=1_000_000)


async def test_every_entry_is_there_before_anything_is_handed_out(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """20,000 entries are applied within seconds, to the partition that each stands in, and work waits for them."""
    await fill(kafka, topics, {number: entry(1, epoch=7) for number in range(EACH)})
    await produce(kafka.bootstrap, topics.deliveries, numbered(1, 2))
    seen: list[int] = []
    stage = SteeredStage()
    began_at = time.monotonic()
    async with member(kafka.bootstrap, topics, tmp_path, stage) as one:
        stage.on_batch = lambda batch: seen.append(len(one.ownership.local(batch.partition).table))
        await one.owns(PARTITIONS)
        assert time.monotonic() - began_at < 10
        await until(lambda: seen)
        assert seen == [EACH]
        for partition in range(PARTITIONS):
            table = one.ownership.local(partition).table
            assert all(table.get(digest(number)) == entry(1, epoch=7) for number in range(EACH))
            assert one.ownership.applied_offset(partition) == EACH - 1
            # The new owner's generation is above every one that has written (RULES 4).
            assert one.ownership.assignment.owned[partition].epoch > 7


async def test_recovery_goes_by_rank_and_keeps_claims_and_lanes_apart(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """A zombie's late entry, a tombstone, a claim and a lane each come to what they must (RULES 28)."""
    lane = LaneMemory("a.test", 1, paused_until_ms=2)
    late, ours = entry(5, epoch=2, state=State.FAILED), entry(2, epoch=3)
    records = [
        (digest(1), pack(ours), 0),
        (digest(1), pack(late), 0),
        (digest(2), pack(ours), 0),
        (digest(2), None, 0),
        (b"c" + digest(3), pack_claim(claim(b"acme    ")), 0),
        (b"c" + digest(4), pack_claim(claim(b"acme    ")), 0),
        (b"c" + digest(4), None, 0),
        (b"c" + digest(3), pack_claim(claim(b"acme    ")), 1),
        (lane_digest("a.test"), pack_lane(lane), 0),
    ]
    await produce(kafka.bootstrap, topics.tasks_changelog, records)
    for round_number in range(2):
        # The second start finds the claims on disk, complete up to their offset, and counts none twice.
        async with member(kafka.bootstrap, topics, tmp_path) as one:
            await one.owns(PARTITIONS)
            local = one.ownership.local(0)
            assert (local.table.get(digest(1)), local.table.get(digest(2)), len(local.table)) == (ours, None, 1)
            assert local.claims.get(digest(3)) == claim(b"acme    "), round_number
            assert (local.lanes.get("a.test"), one.ownership.local(1).lanes.get("a.test")) == (lane, None)
            assert (local.claims.get(digest(4)), local.claims.held_by(b"acme    ")) == (None, 1)
            assert one.ownership.local(1).claims.held_by(b"acme    ") == 1
            assert len(one.ownership.local(1).table) == 0


async def test_a_kept_partition_is_not_read_again_and_a_departed_one_goes_whole(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """After a rebalance a kept partition goes on from its applied offset; what has left holds no memory (RULES 5, 7)."""
    await fill(kafka, topics, {number: entry(1) for number in range(200)})
    async with member(kafka.bootstrap, topics, tmp_path / "1", limits=LIMITS) as one:
        await one.owns(PARTITIONS)
        before = {number: one.ownership.local(number) for number in range(PARTITIONS)}
        claims = {number: local.claims for number, local in before.items()}
        async with member(kafka.bootstrap, topics, tmp_path / "2", limits=LIMITS) as two:
            await two.owns(PARTITIONS // 2)
            await one.owns(PARTITIONS // 2)
            kept = one.partitions
            assert set(one.ownership._locals) == kept
            table = one.app.tables["tasks"]
            for number in range(PARTITIONS):
                # Where Faust begins to read: behind what the kept store has, and at the start of what is not here.
                starts_behind = table.persisted_offset(TP(topics.tasks_changelog, number))
                assert starts_behind == (199 if number in kept else -1)
            for number in kept:
                assert one.ownership.local(number) is before[number]
                assert one.ownership.local(number).applied_offset == 199
            for number in set(range(PARTITIONS)) - kept:
                assert claims[number]._closed
                assert len(two.ownership.local(number).table) == 200
            # Taken over: what two writes meanwhile, one reads when it gets the partitions back.
            await fill(kafka, topics, {number: entry(1) for number in range(200, 210)})
        await one.owns(PARTITIONS)
        await until(lambda: all(len(one.ownership.local(number).table) == 210 for number in range(PARTITIONS)))
        assert all((one.ownership.local(number) is before[number]) == (number in kept) for number in range(PARTITIONS))


async def test_a_change_of_ours_is_not_applied_a_second_time(
    kafka: RunningKafka, topics: Topics, tmp_path: Path
) -> None:
    """What the stage applied itself, once acknowledged, moves the applied offset, so that recovery begins behind it."""
    async with member(kafka.bootstrap, topics, tmp_path / "1", limits=LIMITS) as one:
        await one.owns(PARTITIONS)
        for number in range(PARTITIONS):
            await produce(kafka.bootstrap, topics.tasks_changelog, [(digest(number), pack(entry(1)), number)])
            one.ownership.logged(number, 0, 0)
        async with member(kafka.bootstrap, topics, tmp_path / "2", limits=LIMITS) as two:
            await two.owns(PARTITIONS // 2)
            await one.owns(PARTITIONS // 2)
            # The stage of this test never put it into its table: had recovery read it again, it would be there.
            assert [len(one.ownership.local(number).table) for number in one.partitions] == [0, 0]
            assert [len(two.ownership.local(number).table) for number in two.partitions] == [1, 1]
