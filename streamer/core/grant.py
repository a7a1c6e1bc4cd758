"""What a look at the lanes comes to.

Must not know how lanes decide.
"""

from __future__ import annotations

from typing import Generic

from msgspec import Struct

from streamer.core.breaker import Permit
from streamer.core.caps import Caps
from streamer.core.lane import Lane
from streamer.core.waiting import Item


class Grant(Struct, Generic[Item], eq=False):
    """Leave for one call to begin: its lane, the breaker's permit, who takes turns, and when; a grant ends once."""

    item: Item
    lane: Lane[Item]
    permit: Permit
    taker: str
    caps: Caps
    begun_ms: float
    ended: bool = False


class Turn(Struct, Generic[Item]):
    """What a look at the lanes came to: calls to begin, items that must wait elsewhere, and items whose time is over."""

    begun: list[Grant[Item]]
    put_off: list[tuple[Item, Lane[Item]]]
    stale: list[Item]

    def thin_out(self, lane: Lane[Item], now_ms: float) -> None:
        """Send away those that do not fit. The worst goes first, and is told last: the best of them gets the next slot."""
        away: list[tuple[Item, Lane[Item]]] = []
        while lane.overfull(now_ms) and (worst := lane.queue.worst()) is not None:
            away.append((worst.item, lane))
        self.put_off += reversed(away)
