"""Claims: an id or business id belongs to the record that used it first.

Must not know where claims are kept, nor how a record is let through.
"""

from __future__ import annotations

import hashlib
import struct
from enum import Enum
from functools import lru_cache

from msgspec import Struct

from streamer.core.delivery import Origin

_LAYOUT = struct.Struct("<I8s8s8sI")
CLAIM_BYTES = _LAYOUT.size

#: A record that made a claim is let through again this long; the entry that makes the repeat harmless lives an hour (RULES 11, 12).
LET_AGAIN_S = 1_800


class ClaimEntry(Struct, frozen=True, gc=False):
    """Who claimed, by digest: the claimant's coordinates, what it asked for, its business (for the cap) and lane."""

    claimed_s: int
    claimant: bytes
    content: bytes
    business: bytes
    lane: int


class ClaimVerdict(Enum):
    """What becomes of a record that claims an id."""

    FIRST = "first"
    AGAIN = "again"
    ALREADY_THROUGH = "already_through"
    DUPLICATE = "duplicate"
    FULL = "full"


def claimant(origin: Origin) -> bytes:
    """Return 8 bytes that stand for the coordinates of a request record."""
    written = f"{origin.topic}\0{origin.partition}\0{origin.offset}\0{origin.timestamp_ms}"
    return hashlib.blake2b(written.encode(), digest_size=8).digest()


# Of all claims, and businesses are few.
@lru_cache(maxsize=1024)
def business_digest(business: str) -> bytes:
    """Return 8 bytes that stand for a business."""
    return hashlib.blake2b(business.encode(), digest_size=8).digest()


def judge_claim(
    entry: ClaimEntry | None, by: bytes, now_s: int, unique_for_s: int, held_by_business: int, cap: int
) -> ClaimVerdict:
    """Decide a claim: first come, first served, for ``unique_for_s``; at most ``cap`` a business and partition."""
    if entry is None or now_s - entry.claimed_s >= unique_for_s:
        return ClaimVerdict.FULL if entry is None and held_by_business >= cap else ClaimVerdict.FIRST
    if entry.claimant != by:
        return ClaimVerdict.DUPLICATE
    return ClaimVerdict.AGAIN if now_s - entry.claimed_s < LET_AGAIN_S else ClaimVerdict.ALREADY_THROUGH


def pack_claim(entry: ClaimEntry) -> bytes:
    """Return the claim as the changelog and the disk store it."""
    return _LAYOUT.pack(entry.claimed_s, entry.claimant, entry.content, entry.business, entry.lane)


def unpack_claim(value: bytes) -> ClaimEntry:
    """Read a claim; ValueError when it is not one."""
    if len(value) != CLAIM_BYTES:
        raise ValueError(f"a claim has {CLAIM_BYTES} bytes, not {len(value)}")
    return ClaimEntry(*_LAYOUT.unpack(value))
