"""What a worker keeps of one partition beside its changelog, and how far it is applied there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import KEY_PREFIX as LANE_PREFIX
from streamer.core.own_offsets import OwnOffsets

TASK_KEY_BYTES = 16


@dataclass(slots=True)
class Local:
    """One partition's store, which outlives assignments while the partition is kept."""

    table: MemoryTable
    claims: ClaimsOnDisk
    lanes: LaneBook = field(default_factory=LaneBook)
    applied_offset: int = -1
    offsets: OwnOffsets = field(default_factory=OwnOffsets)

    def recover(self, records: Sequence[Any]) -> None:
        """Apply changelog records, each once."""
        fresh = [record for record in records if record.offset > self.applied_offset]
        if not fresh:
            return
        claims = []
        on_disk = self.claims.applied_offset
        for record in fresh:
            if len(record.key) == TASK_KEY_BYTES:
                self.table.recover(record.key, record.value)
            elif record.key.startswith(LANE_PREFIX):
                self.lanes.recover(record.key, record.value)
            elif record.offset > on_disk:
                claims.append((record.key[1:], record.value))
        self.applied_offset = fresh[-1].offset
        self.offsets.read_to(self.applied_offset + 1)
        if claims:
            self.claims.recover(claims, self.applied_offset)

    def logged(self, first: int, last: int) -> None:
        """Note that changes of ours were acknowledged at these offsets; the stage applies them itself."""
        self.offsets.wrote(first, last + 1)
        self.applied_offset = max(self.applied_offset, last)
