"""Caps on calls at once that hold across lanes: a business's, and a named policy's.

Must not know lanes, nor what a call is.
"""

from __future__ import annotations

from streamer.core.policy_book import PolicyBook

#: Stands between business and policy in the name of one who takes turns; no name has it.
_OF_POLICY = "\0"

Caps = tuple[tuple[str, int], ...]


def business_of(taker: str) -> str:
    """Return the business of one who takes turns."""
    return taker.partition(_OF_POLICY)[0] if _OF_POLICY in taker else taker


class CapCounts:
    """Counts running calls by cap. Whoever takes turns in a lane is a business, or its part under a policy with a cap."""

    __slots__ = ("_running", "book")

    def __init__(self, book: PolicyBook) -> None:
        self.book = book
        self._running: dict[str, int] = {}

    def taker(self, business: str, policy: str | None) -> str:
        """Return who takes turns: a policy that is at its cap must not hold up the rest of the business."""
        if policy is None or len(self.book.caps(business, policy)) == len(self.book.caps(business, None)):
            return business
        return f"{business}{_OF_POLICY}{policy}"

    def weight_of(self, taker: str) -> int:
        """Return the weight of the business that takes turns."""
        return self.book.business(business_of(taker)).weight

    def may(self, taker: str) -> bool:
        """Tell whether every cap has room for one more call."""
        caps = self._of(taker)
        return not caps or all(self._running.get(cap, 0) < limit for cap, limit in caps)

    def take(self, taker: str) -> Caps:
        """Count a call that begins; return the caps it counts under, to be given back."""
        caps = self._of(taker)
        for cap, _ in caps:
            self._running[cap] = self._running.get(cap, 0) + 1
        return caps

    def give_back(self, caps: Caps) -> None:
        """Count a call that ended."""
        for cap, _ in caps:
            self._running[cap] -= 1
            if not self._running[cap]:
                del self._running[cap]

    def _of(self, taker: str) -> Caps:
        if not self.book.capped:
            return ()
        business, _, policy = taker.partition(_OF_POLICY)
        return self.book.caps(business, policy or None)
