"""The entries of one partition in memory, beside their changelog."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from streamer.core.entry import Entry, pack, packed_due_s, packed_lane, supersedes, unpack

#: A queue has parts of an eighth of it, and of so many entries at least.
_LEAST_PART, _PARTS = 1_024, 8


class _Queue:
    """Packed entries by digest, in the order of insertion, for a table that loses the oldest as it gets new ones.

    In one dict the dead places of what went are reused only when all are: with as many entries going as coming that takes
    hours, in which it grows to several times its size. So there are parts, each a dict that is filled once and dropped when
    it is empty. A growing queue's small old parts become one.
    """

    def __init__(self) -> None:
        self._parts: list[dict[bytes, bytes]] = [{}]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return chain.from_iterable(part.items() for part in self._parts)

    def get(self, digest: bytes) -> bytes | None:
        """Return an entry."""
        for part in self._parts:
            if (packed := part.get(digest)) is not None:
                return packed
        return None

    def add(self, digest: bytes, packed: bytes) -> None:
        """Append an entry, of a digest that is not there."""
        parts = self._parts
        most = max(_LEAST_PART, self._count // _PARTS)
        if len(parts[-1]) >= most:
            while len(parts) > 1 and len(parts[0]) + len(parts[1]) <= most:
                parts[0].update(parts.pop(1))
            parts.append({})
        parts[-1][digest] = packed
        self._count += 1

    def pop(self, digest: bytes) -> None:
        """Remove an entry, if it is there."""
        for place, part in enumerate(self._parts):
            if part.pop(digest, None) is not None:
                self._count -= 1
                if not part and len(self._parts) > 1:
                    del self._parts[place]
                return


class MemoryTable:
    """Entries by digest, packed; those of ended tasks apart, in the order in which they ended, so a sweep needs no index."""

    def __init__(self) -> None:
        self._open: dict[bytes, bytes] = {}
        self._open_by_lane: dict[int, int] = {}
        self._ended = _Queue()
        #: The highest owner's generation seen in an entry.
        self.epoch = 0
        #: Digests of which the changelog's last record is not what holds.
        self.outranked: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._open) + len(self._ended)

    def get(self, digest: bytes) -> Entry | None:
        """Return a task's entry."""
        packed = self._open.get(digest) or self._ended.get(digest)
        return unpack(packed) if packed is not None else None

    def put(self, digest: bytes, entry: Entry) -> None:
        """Set a task's entry."""
        self.forget(digest)
        if entry.terminal:
            self._ended.add(digest, pack(entry))
        else:
            self._open[digest] = pack(entry)
            self._open_by_lane[entry.lane] = self._open_by_lane.get(entry.lane, 0) + 1
        self.epoch = max(self.epoch, entry.epoch)

    def forget(self, digest: bytes) -> None:
        """Remove a task's entry."""
        before = self._open.pop(digest, None)
        if before is None:
            self._ended.pop(digest)
            return
        lane = packed_lane(before)
        left = self._open_by_lane[lane] - 1
        if left:
            self._open_by_lane[lane] = left
        else:
            del self._open_by_lane[lane]

    def due_s(self) -> Iterator[int]:
        """Iterate the due times of open entries as they are now, whatever is put or forgotten meanwhile."""
        return map(packed_due_s, tuple(self._open.values()))

    def open_in(self, lane_hash: int) -> int:
        """Count the entries of a lane's tasks that have not ended."""
        return self._open_by_lane.get(lane_hash, 0)

    def recover(self, digest: bytes, value: bytes | None) -> None:
        """Apply one record of the changelog, in the log's order; a late write of a stopped owner changes nothing (RULES 4)."""
        entry = unpack(value) if value is not None else None
        before = self.get(digest)
        if entry is not None and before is not None and not supersedes(entry, before):
            self.outranked.add(digest)
            return
        self.outranked.discard(digest)
        if entry is None:
            self.forget(digest)
        else:
            self.put(digest, entry)

    def ended(self) -> Iterator[tuple[bytes, Entry]]:
        """Iterate terminal entries, the one that ended first coming first."""
        return ((digest, unpack(packed)) for digest, packed in self._ended)

    def open(self) -> Iterator[tuple[bytes, Entry]]:
        """Iterate entries of tasks that have not ended."""
        return ((digest, unpack(packed)) for digest, packed in self._open.items())
