"""What a worker keeps of one partition beside its changelog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.claims import ClaimEntry
from streamer.core.lane_book import LaneBook
from streamer.core.own_offsets import OwnOffsets


class DictClaims:
    """Claims in memory; what the product keeps on disk, without the disk."""

    def __init__(self) -> None:
        self._claims: dict[bytes, ClaimEntry] = {}
        self._held: Counter[bytes] = Counter()

    def get(self, key: bytes) -> ClaimEntry | None:
        """Return who claimed a key."""
        return self._claims.get(key)

    def put_many(self, claims: Sequence[tuple[bytes, ClaimEntry]]) -> None:
        """Keep claims."""
        for key, claim in claims:
            self._claims[key] = claim
            self._held[claim.business] += 1

    def forget_many(self, keys: Sequence[bytes]) -> None:
        """Remove claims."""
        for key in keys:
            if (claim := self._claims.pop(key, None)) is not None:
                self._held[claim.business] -= 1

    def held_by(self, business: bytes) -> int:
        """Count the claims of a business."""
        return self._held[business]

    def older_than(self, claimed_s: int, limit: int) -> Sequence[bytes]:
        """Return keys claimed before then."""
        return [key for key, claim in self._claims.items() if claim.claimed_s < claimed_s][:limit]


@dataclass(slots=True)
class Local:
    """One partition's store, which outlives assignments while the partition is kept."""

    table: MemoryTable
    claims: DictClaims = field(default_factory=DictClaims)
    lanes: LaneBook = field(default_factory=LaneBook)
    applied: int = -1
    offsets: OwnOffsets = field(default_factory=OwnOffsets)
