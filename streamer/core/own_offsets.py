"""Tells which offsets of a log its only rightful writer has not written.

Must not know what stands there, nor how the log is read.
"""

from __future__ import annotations


class OwnOffsets:
    """Follows a log from where it was read to: offsets that are acknowledged leave no gap, unless somebody else writes too.

    An acknowledgement may come after that of a later write, so a gap counts only once it was there at two looks (`lasting`).
    """

    __slots__ = ("_gaps", "_next", "_seen")

    def __init__(self) -> None:
        self._next = 0
        #: Ascending, and neither empty nor overlapping.
        self._gaps: list[range] = []
        self._seen: list[range] = []

    def read_to(self, end: int) -> None:
        """Note that all before ``end`` was read, from where we stood."""
        self._next = max(self._next, end)

    def wrote(self, first: int, end: int) -> None:
        """Note offsets from ``first`` up to, not including, ``end`` that were acknowledged to us."""
        if first < self._next:
            self._gaps = [part for gap in self._gaps for part in _without(gap, first, end)]
        self.ends_at(first)
        self._next = max(self._next, end)

    def ends_at(self, end: int) -> None:
        """Note where the log ends: what lies between is not ours, or ours and not acknowledged yet."""
        if end > self._next:
            self._gaps.append(range(self._next, end))
            self._next = end

    def lasting(self) -> list[range]:
        """Return the gaps that were there at the last look too, in ascending order."""
        before, self._seen = self._seen, list(self._gaps)
        return [gap for gap in self._gaps if gap in before]

    def forget(self, gaps: list[range]) -> None:
        """Forget gaps whose records have been read."""
        self._gaps = [gap for gap in self._gaps if gap not in gaps]


def _without(gap: range, first: int, end: int) -> list[range]:
    parts = range(gap.start, min(gap.stop, first)), range(max(gap.start, end), gap.stop)
    return [part for part in parts if part]
