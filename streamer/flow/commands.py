"""What a command comes to, by the task's entry and by where the command was read."""

from __future__ import annotations

from streamer.core.command import Command
from streamer.core.control import Conflict, answer
from streamer.core.entry import Entry
from streamer.core.partitioning import lane_hash, partition_of, shard_of
from streamer.flow import steps
from streamer.flow.owned import Work


def command_step(
    work: Work, command: Command, entry: Entry | None, shards: int, partitions: int, now: steps.Now
) -> steps.ToldStep:
    """Return what a command writes; ``shards`` is the number of shards of the lane that its delivery names."""
    delivery = command.delivery
    if entry is None and delivery is not None:
        home = partition_of(command.lane, partitions, delivery.shard)
        if home != work.owned.number:
            # Here nothing is known of the task, and it would be made a second time.
            misled = Conflict(f"the task belongs to partition {home} of control, and this command stands in another")
            return steps.commanded(work, command, misled, entry, now)
    if delivery is None or delivery.lane == command.lane:
        return steps.commanded(work, command, answer(command, entry, now.ms, work.owned.epoch), entry, now)
    shard = shard_of(command.task_id, shards)
    leaves = partition_of(delivery.lane, partitions, shard) != work.owned.number
    decided = answer(command, entry, now.ms, work.owned.epoch, shard, leaves=leaves)
    if not leaves:
        # It goes on in this table, under the lane that it is now of.
        now = steps.Now(now.ms, now.tiers, lane_hash(delivery.lane))
    return steps.commanded(work, command, decided, entry, now)
