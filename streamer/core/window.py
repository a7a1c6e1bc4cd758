"""The window of one assignment of a partition: which records are unfinished, and how far it may be committed.

Must not know Kafka, tasks or why a record is finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HoleError(Exception):
    """Offsets are missing between two records; read the partition again from ``expected``."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"expected offset {expected}, found {found}: nobody read what lies between")
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class Skip:
    """Offsets from ``first`` up to, not including, ``until`` that no reader will see any more, and why."""

    first: int
    until: int
    reason: str


class Window:
    """Bounds the unfinished records of one assignment, and the span that would be read again after a crash.

    Only unfinished records are kept, in the order of their offsets: the first is the end of the finished
    prefix, and a stuck record costs no memory for the finished ones behind it (RULES 6). The bounds are soft:
    whoever reads asks ``full`` and reads no more; what has been read is always taken, since dropping it would
    lose it (RULES 3).

    Invariant: no offset below ``committable`` is unfinished, and ``committable`` never falls.
    """

    __slots__ = (
        "_low",
        "_next",
        "_start",
        "_unfinished",
        "last_skip",
        "max_bytes",
        "max_span",
        "max_unfinished",
        "unfinished_bytes",
    )

    def __init__(self, start: int, max_unfinished: int, max_bytes: int, max_span: int = 1_000_000) -> None:
        self.max_unfinished = max_unfinished
        self.max_bytes = max_bytes
        self.max_span = max_span
        self.unfinished_bytes = 0
        self.last_skip: Skip | None = None
        self._start = start
        self._next = start
        #: A lower bound of the prefix's end; exact while it is itself unfinished.
        self._low = start
        #: Offset to size. Offsets are taken in ascending order, and a dict keeps the order of insertion.
        self._unfinished: dict[int, int] = {}

    def __repr__(self) -> str:
        return (
            f"<Window committable={self.committable} next={self._next} unfinished={self.unfinished} "
            f"bytes={self.unfinished_bytes}{' full' if self.full else ''}>"
        )

    @property
    def finished(self) -> int:
        """How many offsets of this assignment are finished."""
        return self._next - self._start - len(self._unfinished)

    @property
    def half_full(self) -> bool:
        """Whether so much is unfinished that what waits should wait elsewhere."""
        return 2 * len(self._unfinished) >= self.max_unfinished or 2 * self.unfinished_bytes >= self.max_bytes

    def take(self, offset: int, size_bytes: int) -> bool:
        """Note a record that was read; False when it was taken before and must not be handed out again.

        Raises HoleError, and changes nothing, when offsets before it are missing.
        """
        if offset != self._next:
            if offset > self._next:
                raise HoleError(self._next, offset)
            return False
        self._next = offset + 1
        self._unfinished[offset] = size_bytes
        self.unfinished_bytes += size_bytes
        return True

    def take_many(self, first: int, sizes_bytes: Sequence[int]) -> int:
        """Note a batch of neighbouring offsets; return how many of its first records were taken before.

        Raises HoleError, and changes nothing, when offsets before the batch are missing.
        """
        if first > self._next:
            raise HoleError(self._next, first)
        known = min(self._next - first, len(sizes_bytes))
        fresh = sizes_bytes[known:] if known else sizes_bytes
        end = self._next + len(fresh)
        self._unfinished.update(zip(range(self._next, end), fresh, strict=True))
        self.unfinished_bytes += sum(fresh)
        self._next = end
        return known

    def finish(self, offset: int) -> None:
        """Note that nothing is left to do for a record; a second time changes nothing."""
        size_bytes = self._unfinished.pop(offset, None)
        if size_bytes is not None:
            self.unfinished_bytes -= size_bytes
        elif offset >= self._next:
            raise ValueError(f"offset {offset} was never taken: the next to take is {self._next}")

    def skip_to(self, offset: int, reason: str) -> int:
        """Go on at ``offset`` because the log begins there now; return how many offsets nobody will see."""
        if offset < self._next:
            raise ValueError(f"cannot skip back to offset {offset}: the next to take is {self._next}")
        if offset > self._next:
            self.last_skip = Skip(self._next, offset, reason)
        skipped, self._next = offset - self._next, offset
        return skipped

    @property
    def next_offset(self) -> int:
        """The offset that must be taken next."""
        return self._next

    @property
    def committable(self) -> int:
        """The end of the finished prefix, which is the offset to read next after a crash.

        To be asked at a commit, not after each finish: it may pass over as many gaps as were finished.
        """
        if self._low not in self._unfinished:
            self._low = next(iter(self._unfinished), self._next)
        return self._low

    @property
    def unfinished(self) -> int:
        """How many records were taken and not finished."""
        return len(self._unfinished)

    @property
    def drained(self) -> bool:
        """Whether all that was taken is finished."""
        return not self._unfinished

    @property
    def full(self) -> bool:
        """Whether no more should be read for now."""
        return (
            len(self._unfinished) >= self.max_unfinished
            or self.unfinished_bytes >= self.max_bytes
            # The bound is asked first: it moves only when the span looks too long.
            or (self._next - self._low >= self.max_span and self._next - self.committable >= self.max_span)
        )
