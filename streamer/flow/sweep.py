"""Forgets entries of ended tasks once nothing can bring their records back (RULES 11), and counts those that are overdue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

from streamer.core.entry import NO_PARTITION, Entry
from streamer.core.window import Window
from streamer.flow.owned import Owned
from streamer.ports import Outbox

#: An entry is kept this long after its task ended.
KEEP_S = 3_600
#: An open entry this long past its due time is overdue: lost, or behind a long backlog (RULES 2).
OVERDUE_S = 600
#: Tombstones in one group, and entries that are looked at for it: at most 20 ms without a turn for others.
_MOST_AT_ONCE = 1_000
_LOOK_AT_MOST = 5_000
#: Due times that are looked at between two turns of the loop: 3 ms.
_BETWEEN_TURNS = 10_000


class Barriers:
    """Tells before which moment every record that was read is committed.

    A barrier is the ends of all windows of a partition at one moment. Once the committed offsets have passed it, no record
    that was handled before that moment can be read again. The first barrier is the ends of the topics at assignment, so
    that what an earlier owner handled and did not commit is waited for too.
    """

    def __init__(self, windows: Mapping[str, Window], ends: Mapping[str, int], now_s: float) -> None:
        self._windows = windows
        self._ends = dict(ends)
        self._at_s = now_s
        self.safe_before_s = float("-inf")

    def move(self, committed: Mapping[str, int], now_s: float) -> None:
        """Pass the barrier if the committed offsets have passed it, and set the next one."""
        if all(committed.get(topic, 0) >= end for topic, end in self._ends.items()):
            self.safe_before_s = self._at_s
            self._ends = {topic: window.next_offset for topic, window in self._windows.items()}
            self._at_s = now_s


@dataclass(frozen=True, slots=True)
class Passed:
    """What a partition's records have passed by now: before when all of deliver's are committed, and how far intake's are."""

    now_s: float
    safe_before_s: float
    intake_committed: Mapping[int, int]

    def is_old(self, entry: Entry) -> bool:
        """Tell whether a task ended long enough ago."""
        return entry.updated_s <= self.now_s - KEEP_S

    def may_forget(self, entry: Entry) -> bool:
        """Tell whether an ended task's entry guards nothing any more."""
        if not self.is_old(entry) or entry.updated_s >= self.safe_before_s:
            return False
        if entry.request_partition == NO_PARTITION:
            return True
        return self.intake_committed.get(entry.request_partition, 0) > entry.request_offset


async def sweep(owned: Owned, passed: Passed, outbox: Outbox, release: Callable[[Owned, bytes], None]) -> int:
    """Write tombstones for forgettable entries and forget them; return how many.

    A digest that is swept counts as busy, so that a command for it waits and is judged by what the table says then. Goes on
    while groups are full: a worker that ends thousands of tasks a second must forget as many.
    """
    count = _MOST_AT_ONCE
    total = 0
    while count == _MOST_AT_ONCE:
        count = await _sweep_group(owned, passed, outbox, release)
        total += count
    return total


async def _sweep_group(owned: Owned, passed: Passed, outbox: Outbox, release: Callable[[Owned, bytes], None]) -> int:
    gone: list[bytes] = []
    if not owned.may_act():
        return 0
    for digest, entry in islice(owned.table.ended(), _LOOK_AT_MOST):
        if not passed.is_old(entry) or len(gone) == _MOST_AT_ONCE:
            break
        if digest not in owned.busy and passed.may_forget(entry):
            gone.append(digest)
    if not gone:
        return 0
    with owned.keeping(gone, release):
        await outbox.log([(owned.number, digest, None) for digest in gone])
        for digest in gone:
            owned.table.forget(digest)
    return len(gone)


async def overdue(owned: Owned, now_s: float) -> int:
    """Count the open entries whose due time is long past."""
    late, times_s = 0, owned.table.due_s()
    # A hundred thousand at once would be a pause that all lanes feel.
    while some := tuple(islice(times_s, _BETWEEN_TURNS)):
        late += sum(due_s + OVERDUE_S < now_s for due_s in some)
        await asyncio.sleep(0)
    return late
