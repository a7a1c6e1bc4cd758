"""Claims of ids: verdicts, and the packed form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.claims import (
    CLAIM_BYTES,
    LET_AGAIN_S,
    ClaimEntry,
    ClaimVerdict,
    business_digest,
    claimant,
    judge_claim,
    pack_claim,
    unpack_claim,
)
from streamer.core.delivery import Origin

U32 = st.integers(0, 2**32 - 1)
EIGHT = st.binary(min_size=8, max_size=8)
ME, OTHER = b"claimant", b"somebody"
UNIQUE_FOR_S = 7_200
HELD = ClaimEntry(1_000, ME, bytes(8), bytes(8), 0)


@given(st.builds(ClaimEntry, U32, EIGHT, EIGHT, EIGHT, U32))
def test_what_is_packed_is_unpacked(entry: ClaimEntry) -> None:
    """Every claim survives changelog and disk."""
    assert len(pack_claim(entry)) == CLAIM_BYTES
    assert unpack_claim(pack_claim(entry)) == entry


def test_other_lengths_are_refused() -> None:
    """Bytes of another layout are no claim."""
    with pytest.raises(ValueError, match=str(CLAIM_BYTES)):
        unpack_claim(bytes(CLAIM_BYTES + 1))


@pytest.mark.parametrize(
    ("entry", "by", "now_s", "held", "verdict"),
    [
        (None, ME, 1_000, 0, ClaimVerdict.FIRST),
        (None, ME, 1_000, 9, ClaimVerdict.FIRST),
        (None, ME, 1_000, 10, ClaimVerdict.FULL),
        (HELD, ME, 1_000, 10, ClaimVerdict.AGAIN),
        (HELD, ME, 1_000 + LET_AGAIN_S - 1, 0, ClaimVerdict.AGAIN),
        (HELD, ME, 1_000 + LET_AGAIN_S, 0, ClaimVerdict.ALREADY_THROUGH),
        (HELD, OTHER, 1_000, 0, ClaimVerdict.DUPLICATE),
        (HELD, OTHER, 1_000 + UNIQUE_FOR_S - 1, 0, ClaimVerdict.DUPLICATE),
        (HELD, OTHER, 1_000 + UNIQUE_FOR_S, 10, ClaimVerdict.FIRST),
    ],
)
def test_verdict(entry: ClaimEntry | None, by: bytes, now_s: int, held: int, verdict: ClaimVerdict) -> None:
    """RULES 12: first come first served, the same coordinates again, capped; one that outlived its time frees its own place."""
    assert judge_claim(entry, by, now_s, UNIQUE_FOR_S, held, cap=10) is verdict


def test_repeats_are_let_through_for_less_than_entries_live() -> None:
    """RULES 11, 12: the entry that makes a repeat harmless lives an hour, so repeats pass for less."""
    assert LET_AGAIN_S < 3_600


def test_claimant_is_the_record_not_its_content() -> None:
    """Each coordinate of a request record makes another claimant."""
    here = Origin("requests", 1, 2, 3)
    others = [
        Origin("other", 1, 2, 3),
        Origin("requests", 2, 2, 3),
        Origin("requests", 1, 3, 3),
        Origin("requests", 1, 2, 4),
    ]
    assert claimant(here) == claimant(Origin("requests", 1, 2, 3))
    assert len({claimant(origin) for origin in [here, *others]}) == 5
    assert business_digest("acme") != business_digest("globex")
    assert len(claimant(here)) == len(business_digest("acme")) == 8
