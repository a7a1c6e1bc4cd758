"""After an unclean exit the unfinished span runs one by one, so that a record that kills the process is found (RULES 14)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from streamer.flow.owned import Owned, Work
from streamer.ports import Marker


class Careful:
    """Hands out the records of the span one at a time per topic partition, each noted before it goes.

    A record that was found alone in hand at two deaths of the process goes to ``park`` in place of ``take``.
    """

    def __init__(self, marker: Marker, take: Callable[[Work], None], park: Callable[[Work], None]) -> None:
        self._marker = marker
        self._take = take
        self._park = park

    def add(self, work: Work) -> None:
        """Queue a record of the span."""
        owned = work.owned
        owned.careful.setdefault(work.source, deque()).append(work)
        if work.source not in owned.alone:
            self._next(owned, work.source)

    def settled(self, work: Work, soon: Callable[..., Any]) -> None:
        """Let the next one go once the record in hand alone is done."""
        owned = work.owned
        if owned.alone.get(work.source) is not work:
            return
        self._marker.end(work.source, owned.number, work.offset)
        del owned.alone[work.source]
        soon(self._next, owned, work.source)

    def _next(self, owned: Owned, source: str) -> None:
        queue = owned.careful.get(source)
        if not owned.open or source in owned.alone or not queue:
            return
        work = queue.popleft()
        owned.alone[source] = work
        if self._marker.found_twice(source, owned.number, work.offset):
            self._park(work)
        else:
            self._marker.begin(source, owned.number, work.offset)
            self._take(work)
