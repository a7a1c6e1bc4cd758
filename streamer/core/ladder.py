"""The ladder of delay tiers: which tier a wait goes onto next, and when it is released from there.

Must not know topics, partitions or what waits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

from msgspec import Struct

#: How far before a tier's full delay a record may ask to be released (RULES 21); see ``look_ahead_ms``.
LOOK_AHEAD_MS = 5_000

_SECOND_MS = 1_000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Tier:
    """One delay topic by its short name: nothing waits on it for longer than ``delay_ms``."""

    name: str
    delay_ms: int


class Hop(Struct, frozen=True, gc=False):
    """One stay on a tier, until ``release_at_ms``."""

    tier: Tier
    release_at_ms: int


DEFAULT_TIERS = (
    Tier("5s", 5 * _SECOND_MS),
    Tier("10s", 10 * _SECOND_MS),
    Tier("30s", 30 * _SECOND_MS),
    Tier("1m", _MINUTE_MS),
    Tier("2m", 2 * _MINUTE_MS),
    Tier("5m", 5 * _MINUTE_MS),
    Tier("10m", 10 * _MINUTE_MS),
    Tier("30m", 30 * _MINUTE_MS),
    Tier("1h", _HOUR_MS),
    Tier("2h", 2 * _HOUR_MS),
    Tier("6h", 6 * _HOUR_MS),
    Tier("12h", 12 * _HOUR_MS),
    Tier("1d", _DAY_MS),
    Tier("7d", 7 * _DAY_MS),
)

_delay = attrgetter("delay_ms")


def make_ladder(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    """Return the tiers, shortest first, as ``next_hop`` needs them; ValueError says which tier is wrong."""
    ladder = tuple(sorted(tiers, key=_delay))
    if not ladder:
        raise ValueError("a ladder needs at least one tier")
    if ladder[0].delay_ms <= 0:
        raise ValueError(f"tier {ladder[0].name!r} has a delay of {ladder[0].delay_ms} ms: allowed is 1 ms or more")
    for shorter, longer in pairwise(ladder):
        if shorter.delay_ms == longer.delay_ms:
            raise ValueError(f"tiers {shorter.name!r} and {longer.name!r} have the same delay: each may stand once")
    if len({tier.name for tier in ladder}) < len(ladder):
        raise ValueError(f"two tiers have the same name: {', '.join(tier.name for tier in ladder)}")
    return ladder


def look_ahead_ms(tiers: Sequence[Tier]) -> int:
    """Return by how much two neighbours of a tier may ask for release out of their order.

    Invariant: of two records laid on one tier one after the other, the later asks for release no earlier than
    the earlier does, less this span. So whoever releases has to look this far past the head, and no farther.
    The smallest tier takes every wait down to zero, which is why the span is never shorter than its delay.
    """
    return max(LOOK_AHEAD_MS, tiers[0].delay_ms)


def next_hop(tiers: Sequence[Tier], now_ms: int, due_at_ms: int) -> Hop | None:
    """Return the next stay of what is due at ``due_at_ms``, or None when it is due now.

    A tier T takes every wait in (T - look-ahead, T] to its end, so that a usual wait is one hop; any other
    wait first spends the longest tier that fits. ``tiers`` come as ``make_ladder`` returns them.
    """
    wait_ms = due_at_ms - now_ms
    if wait_ms <= 0:
        return None
    above = bisect_left(tiers, wait_ms, key=_delay)
    if above == 0:
        return Hop(tiers[0], due_at_ms)
    if above < len(tiers) and wait_ms > tiers[above].delay_ms - look_ahead_ms(tiers):
        return Hop(tiers[above], due_at_ms)
    below = tiers[above - 1]
    return Hop(below, now_ms + below.delay_ms)


def hops(tiers: Sequence[Tier], wait_ms: int) -> int:
    """Count the hops of a wait whose every release is on time."""
    count, now_ms = 0, 0
    while hop := next_hop(tiers, now_ms, wait_ms):
        count, now_ms = count + 1, hop.release_at_ms
    return count
