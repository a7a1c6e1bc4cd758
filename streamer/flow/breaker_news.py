"""Tells from lanes' figures, which are a second old at most, when a breaker has changed."""

from __future__ import annotations

from streamer.core.breaker import BreakerState
from streamer.core.figures import LaneFigures
from streamer.core.identity import event_id
from streamer.extensions import Event, EventKind

#: So many lanes whose breaker is not closed are remembered.
MOST_LANES = 10_000


class BreakerNews:
    """Remembers the last state of each lane's breaker, where it is not closed: a lane that is seen first was closed before."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], str] = {}

    def change(self, figures: LaneFigures) -> Event | None:
        """Return the event of a breaker that is not what it was; figures that are removed say nothing of it."""
        lane, state = (figures.lane, figures.shard), figures.breaker
        if figures.gone or state == self._seen.get(lane, BreakerState.CLOSED):
            return None
        # The newest last, so that the one forgotten is the one that has not changed for longest.
        self._seen.pop(lane, None)
        if state != BreakerState.CLOSED:
            self._seen[lane] = state
            if len(self._seen) > MOST_LANES:
                del self._seen[next(iter(self._seen))]
        # A lane's next owner finds its breaker open until the same instant, and tells the same event.
        salt = f"{state}@{figures.open_until_ms or figures.at_ms}"
        return Event(
            kind=EventKind.BREAKER_CHANGED,
            id=event_id(figures.lane, figures.shard, 0, EventKind.BREAKER_CHANGED, salt),
            at_ms=figures.at_ms,
            domain=figures.lane,
            detail=state,
            due_at_ms=figures.open_until_ms or None,
        )
