"""Entries and claims for the tests of stores."""

from __future__ import annotations

from streamer.core.claims import ClaimEntry
from streamer.core.entry import Entry
from streamer.core.lifecycle import State


def entry(
    attempt: int = 1, *, generation: int = 1, epoch: int = 1, state: State = State.RETRYING, due_s: int = 0
) -> Entry:
    """Return a task's entry."""
    return Entry(generation, epoch, attempt, state, 0, 1_700_000_000, due_s, b"contents", 7, 3, 41)


def claim(business: bytes = b"business", claimed_s: int = 1_000, claimant: bytes = b"claimant") -> ClaimEntry:
    """Return a claim."""
    return ClaimEntry(claimed_s, claimant, b"contents", business, 7)


def digest(number: int) -> bytes:
    """Return the digest of a task that is only a number."""
    return number.to_bytes(16, "big")
