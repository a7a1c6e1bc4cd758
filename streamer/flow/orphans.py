"""Seen records without an entry: dropped, but not before every first record that stood at the assignment is done.

A task's retry is published before its entry is written. A worker that dies in between leaves a seen record without an entry,
and the first record, which will be read again and make another retry. The dead worker's entry may still land, late. Whoever
read it then, after one more change of owner, would take the first record for done: were the retry dropped and committed by
then, the task would be lost. So the retry stays uncommitted until the first record is done, whose entry has a later epoch
than any late one (RULES 1, 4).
"""

from __future__ import annotations

from collections.abc import Callable

from streamer.core.window import Window
from streamer.flow.owned import Owned, Work
from streamer.ports import Clock

_LOOK_MS = 100


class Firsts:
    """Tells whether all is done that stood on a partition of ``deliveries`` when it was assigned, up to ``end``."""

    def __init__(self, window: Window, end: int) -> None:
        self._window = window
        self._end = end

    def done(self) -> bool:
        """Whether no record from before may be the first of its task any more."""
        return self._window.committable >= self._end


class Orphans:
    """Keeps seen records without an entry out of hand until first records are done; then they are taken again."""

    def __init__(self, clock: Clock, take: Callable[[Work], None], let_go: Callable[[Work], None]) -> None:
        self._clock = clock
        self._take = take
        self._let_go = let_go

    def keep(self, work: Work) -> bool:
        """Keep a record whose task has no entry, if that says nothing yet; tell whether it was kept."""
        owned = work.owned
        if owned.firsts_done():
            return False
        owned.orphans.append(work)
        if len(owned.orphans) == 1:
            owned.spawn(self._take_when_done(owned))
        # Not in hand: the first record of the same task must not wait for it.
        self._let_go(work)
        return True

    async def _take_when_done(self, owned: Owned) -> None:
        while not owned.firsts_done():
            await self._clock.sleep_ms(_LOOK_MS)
        kept, owned.orphans = owned.orphans, []
        for work in kept:
            self._take(work)
