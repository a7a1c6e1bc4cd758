"""What a lane must not forget when it moves to another worker or is evicted: its limiter's time, pauses, breaker, promises.

Must not know where it is kept; the changelog holds it beside the tasks' entries, under a prefix (RULES 28).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

#: Lanes live in the tasks' changelog under this prefix.
KEY_PREFIX = b"l"
#: A breaker is remembered for so long after it could have been asked again.
UNASKED_MS = 3_600_000
#: A pace is gone by itself some fifteen seconds after it was set.
PACE_MS = 20_000
_VERSION = 1
_LAYOUT = struct.Struct("<BQQQQQIf")


@dataclass(frozen=True, slots=True)
class LaneMemory:
    """A lane's state at ``at_ms``; instants are epoch ms, 0 for none.

    ``tat_ms`` is the limiter's theoretical arrival time (GCRA), ``promised_ms`` the last slot promised to a deferral,
    ``paused_until_ms`` the receiver's pause. The breaker is open until ``open_until_ms`` and has opened ``openings`` times
    without having closed for good. ``pace_per_s`` is what the lane was slowed down to, 0 for none.
    """

    lane: str
    at_ms: int
    tat_ms: int = 0
    promised_ms: int = 0
    paused_until_ms: int = 0
    open_until_ms: int = 0
    openings: int = 0
    pace_per_s: float = 0.0

    def trivial(self, now_ms: int) -> bool:
        """Tell whether nothing of it matters any more; a breaker that nobody has asked for long is as good as closed."""
        past = max(self.tat_ms, self.promised_ms, self.paused_until_ms) <= now_ms
        closed = not self.openings or self.open_until_ms + UNASKED_MS <= now_ms
        return past and closed and (not self.pace_per_s or self.at_ms + PACE_MS <= now_ms)


def lane_digest(lane: str) -> bytes:
    """Return a lane's key in the changelog: the prefix and 16 bytes of BLAKE2b."""
    return KEY_PREFIX + hashlib.blake2b(lane.encode(), digest_size=16).digest()


def pack_lane(memory: LaneMemory) -> bytes:
    """Return the memory as the changelog stores it."""
    return (
        _LAYOUT.pack(
            _VERSION,
            memory.at_ms,
            memory.tat_ms,
            memory.promised_ms,
            memory.paused_until_ms,
            memory.open_until_ms,
            memory.openings,
            memory.pace_per_s,
        )
        + memory.lane.encode()
    )


def unpack_lane(value: bytes) -> LaneMemory:
    """Read a lane's memory; ValueError when it is not one."""
    if len(value) <= _LAYOUT.size or value[0] != _VERSION:
        raise ValueError(f"{len(value)} bytes that are no lane's memory of version {_VERSION}")
    fields = _LAYOUT.unpack_from(value)
    return LaneMemory(value[_LAYOUT.size :].decode(), *fields[1:])
