"""The entries of one partition in memory, beside their changelog."""

from __future__ import annotations

from collections.abc import Iterator

from streamer.core.entry import Entry, pack, packed_due_s, packed_lane, supersedes, unpack


class MemoryTable:
    """Entries by digest, packed; those of ended tasks apart, in the order in which they ended.

    A dict keeps the order of insertion, so the first of the ended ones is the oldest and a sweep needs no index.
    """

    def __init__(self) -> None:
        self._open: dict[bytes, bytes] = {}
        self._open_by_lane: dict[int, int] = {}
        self._ended: dict[bytes, bytes] = {}
        #: The highest owner's generation seen in an entry.
        self.epoch = 0

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
            self._ended[digest] = pack(entry)
        else:
            self._open[digest] = pack(entry)
            self._open_by_lane[entry.lane] = self._open_by_lane.get(entry.lane, 0) + 1
        self.epoch = max(self.epoch, entry.epoch)

    def forget(self, digest: bytes) -> None:
        """Remove a task's entry."""
        before = self._open.pop(digest, None)
        if before is None:
            self._ended.pop(digest, None)
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
        if value is None:
            self.forget(digest)
            return
        entry = unpack(value)
        before = self.get(digest)
        if before is None or supersedes(entry, before):
            self.put(digest, entry)

    def ended(self) -> Iterator[tuple[bytes, Entry]]:
        """Iterate terminal entries, the one that ended first coming first."""
        return ((digest, unpack(packed)) for digest, packed in self._ended.items())

    def open(self) -> Iterator[tuple[bytes, Entry]]:
        """Iterate entries of tasks that have not ended."""
        return ((digest, unpack(packed)) for digest, packed in self._open.items())
