"""What a lane must not forget, packed and read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.lane_memory import PACE_MS, UNASKED_MS, LaneMemory, lane_digest, pack_lane, unpack_lane

_INSTANT = st.integers(0, 1 << 53)


@given(
    st.builds(
        LaneMemory,
        st.text(min_size=1, max_size=80),
        _INSTANT,
        _INSTANT,
        _INSTANT,
        _INSTANT,
        _INSTANT,
        st.integers(0, 1 << 31),
        st.floats(0, 1e6, width=32),
    )
)
def test_memory_reads_back_what_it_packs(memory: LaneMemory) -> None:
    """Every field stands in the changelog."""
    assert unpack_lane(pack_lane(memory)) == memory


@pytest.mark.parametrize("value", [b"", b"x" * 20, b"\x02" + bytes(60)])
def test_what_is_no_memory_is_refused(value: bytes) -> None:
    """Another version, or too short."""
    with pytest.raises(ValueError, match="no lane's memory"):
        unpack_lane(value)


def test_memory_is_trivial_once_all_of_it_is_past() -> None:
    """An open breaker matters for an hour after it could have been asked again."""
    assert LaneMemory("a", 0, tat_ms=10, promised_ms=20, paused_until_ms=30).trivial(30)
    assert not LaneMemory("a", 0, paused_until_ms=31).trivial(30)
    assert not LaneMemory("a", 0, openings=1, open_until_ms=100).trivial(UNASKED_MS + 99)
    assert LaneMemory("a", 0, openings=1, open_until_ms=100).trivial(UNASKED_MS + 100)
    assert not LaneMemory("a", 0, pace_per_s=1).trivial(PACE_MS - 1)
    assert LaneMemory("a", 0, pace_per_s=1).trivial(PACE_MS)


def test_key_of_a_lane_is_no_tasks_key() -> None:
    """Task digests have 16 bytes; a lane's key has its prefix, whatever its name's length."""
    assert {len(lane_digest(name)) for name in ("a", "a.example.test:8080", "x" * 15)} == {17}
    assert lane_digest("a")[:1] == b"l"
