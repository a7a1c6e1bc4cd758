"""Which offsets of a log are not ours: gaps between what was acknowledged to its only rightful writer (RULES 4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.own_offsets import OwnOffsets


def lasting(offsets: OwnOffsets) -> list[int]:
    """Return the offsets of all gaps that last, as two looks with nothing in between find them."""
    offsets.lasting()
    return [offset for gap in offsets.lasting() for offset in gap]


def test_a_log_that_we_alone_write_has_no_gap() -> None:
    """From where it was read to, each acknowledgement follows the one before."""
    offsets = OwnOffsets()
    offsets.read_to(100)
    offsets.wrote(100, 103)
    offsets.wrote(103, 104)
    offsets.ends_at(104)
    assert lasting(offsets) == []


def test_what_another_one_wrote_is_a_gap() -> None:
    """Between two writes of ours, behind the last one, and before the first."""
    offsets = OwnOffsets()
    offsets.read_to(10)
    offsets.wrote(12, 14)
    offsets.wrote(17, 18)
    offsets.ends_at(20)
    assert lasting(offsets) == [10, 11, 14, 15, 16, 18, 19]


def test_a_gap_must_last_since_an_acknowledgement_may_be_on_its_way() -> None:
    """The end of the log is known before the last writes are acknowledged to us."""
    offsets = OwnOffsets()
    offsets.ends_at(4)
    assert offsets.lasting() == []
    offsets.wrote(0, 4)
    assert offsets.lasting() == []
    offsets.ends_at(6)
    assert offsets.lasting() == []
    assert offsets.lasting() == [range(4, 6)]


def test_a_gap_that_was_read_is_forgotten_and_no_other() -> None:
    """What came meanwhile is another gap."""
    offsets = OwnOffsets()
    offsets.wrote(2, 3)
    offsets.lasting()
    gaps = offsets.lasting()
    offsets.wrote(5, 6)
    offsets.forget(gaps)
    assert lasting(offsets) == [3, 4]


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)), st.integers(0, 3))
def test_acknowledgements_may_come_in_any_order(order: list[int], foreign: set[int], read: int) -> None:
    """In the end exactly those are left that were neither read nor ours."""
    offsets = OwnOffsets()
    offsets.read_to(read)
    for offset in order:
        if offset not in foreign and offset >= read:
            offsets.wrote(offset, offset + 1)
            offsets.lasting()
    offsets.ends_at(12)
    assert lasting(offsets) == [offset for offset in range(read, 12) if offset in foreign]
