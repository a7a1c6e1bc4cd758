"""What a command comes to, by the task's entry and by where the command was read."""

from __future__ import annotations

from streamer.core.command import Command
from streamer.core.control import Conflict, answer
from streamer.core.entry import Entry
from streamer.core.partitioning import partition_of, shard_of
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
    moves = delivery is not None and delivery.lane != command.lane
    shard = shard_of(command.task_id, shards) if moves else 0
    decided = answer(command, entry, now.ms, work.owned.epoch, shard)
    return steps.commanded(work, command, decided, entry, now)
