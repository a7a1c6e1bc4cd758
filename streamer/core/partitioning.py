"""The partition of a key, as Kafka's own clients choose it: whoever produces, one lane has one partition.

Must not know topics. The hash is MurmurHash2 (32 bits, seed 0x9747b28c), as in Kafka's ``Utils.murmur2``.
"""

from __future__ import annotations

from functools import lru_cache

from streamer.core.identity import task_digest

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the unsigned 32-bit hash of ``data``."""
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(maxsize=65_536)
def lane_hash(lane: str) -> int:
    """Return the positive hash of a lane's key."""
    return murmur2(lane.encode()) & 0x7FFFFFFF


def partition_of(lane: str, partitions: int, shard: int = 0) -> int:
    """Return the partition of a lane, or of one of its shards: they follow the lane's own (RULES 23)."""
    return (lane_hash(lane) + shard) % partitions


def shard_of(task_id: str, shards: int) -> int:
    """Return the shard of a lane that a task belongs to, for good (RULES 23)."""
    return 0 if shards == 1 else int.from_bytes(task_digest(task_id)[:8], "big") % shards
