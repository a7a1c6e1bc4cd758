"""What is kept of the lanes of one partition while they are not in use, or were another worker's.

Must not know who keeps it, nor the changelog it is read from.
"""

from __future__ import annotations

from streamer.core.lane_memory import LaneMemory, lane_digest, unpack_lane


class LaneBook:
    """The memories of a partition's lanes by key, from when the partition came to this worker.

    A book outlives assignments as long as the partition stays, and is dropped whole with it (RULES 7).
    """

    __slots__ = ("_memories", "taken_over_ms")

    def __init__(self) -> None:
        self._memories: dict[bytes, LaneMemory] = {}
        #: When the partition's first assignment here began: no lane starts with a burst from before it (RULES 18).
        self.taken_over_ms = 0.0

    def __len__(self) -> int:
        return len(self._memories)

    def take_over(self, now_ms: float) -> None:
        """Note when the partition came here; only the first time counts."""
        self.taken_over_ms = self.taken_over_ms or now_ms

    def recover(self, digest: bytes, value: bytes | None) -> None:
        """Apply one record of the changelog; of two writes the one that was decided later holds."""
        if value is None:
            self._memories.pop(digest, None)
            return
        memory, before = unpack_lane(value), self._memories.get(digest)
        if before is None or memory.at_ms >= before.at_ms:
            self._memories[digest] = memory

    def get(self, lane: str) -> LaneMemory | None:
        """Return what is known of a lane."""
        return self._memories.get(lane_digest(lane))

    def keep(self, memory: LaneMemory, now_ms: int) -> bytes | None:
        """Keep a lane's memory, or nothing of one that is trivial; return the key if something was kept before then."""
        digest = lane_digest(memory.lane)
        if not memory.trivial(now_ms):
            self._memories[digest] = memory
            return None
        return digest if self._memories.pop(digest, None) is not None else None

    def forget_trivial(self, now_ms: int) -> list[bytes]:
        """Forget what matters no more; return the keys that the changelog may forget too."""
        gone = [digest for digest, memory in self._memories.items() if memory.trivial(now_ms)]
        for digest in gone:
            del self._memories[digest]
        return gone
