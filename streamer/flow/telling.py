"""Tells what stands, once the broker has acknowledged it: an outbox around the outbox, and what makes events of records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from streamer.core.emit import Emit
from streamer.core.figures import LaneFigures
from streamer.extensions import Event
from streamer.flow.breaker_news import BreakerNews
from streamer.flow.events import event_of
from streamer.ports import Change, Outbox

log = logging.getLogger(__name__)

#: Takes what the broker has acknowledged, in the order of its acknowledgements.
Tell = Callable[[Sequence[Emit]], None]


class Teller:
    """Makes events of records that the broker has acknowledged, and gives them on to ``hear``, which must not wait."""

    def __init__(self, hear: Callable[[Sequence[Event]], None]) -> None:
        self._hear = hear
        self._breakers = BreakerNews()

    def tell(self, emits: Sequence[Emit]) -> None:
        """Tell of these, in their order. Nothing is raised: what was written stands, and must not be written again."""
        try:
            events = [event for emit in emits if (event := self._event(emit)) is not None]
            if events:
                self._hear(events)
        except Exception:
            log.exception("the listeners could not be told of %s records", len(emits))

    def _event(self, emit: Emit) -> Event | None:
        return self._breakers.change(emit) if isinstance(emit, LaneFigures) else event_of(emit)


class Telling:
    """Implements the outbox by another one; what that one has published is told before its caller goes on."""

    def __init__(self, outbox: Outbox, tell: Tell) -> None:
        self._outbox = outbox
        self._tell = tell

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Write all, then tell of them; raises Abandoned, and tells nothing, when the lease is lost first."""
        await self._outbox.publish(emits)
        self._tell(emits)

    async def log(self, changes: Sequence[Change]) -> None:
        """Append to the table's changelog; raises Abandoned when the lease is lost first."""
        await self._outbox.log(changes)
