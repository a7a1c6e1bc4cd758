"""What hold keeps of one partition of a tier."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.held import HeldPartition, HeldRecord

LOOK_AHEAD_MS = 5_000


def record(offset: int, release_at_ms: int, size: int = 100) -> HeldRecord:
    return HeldRecord(offset, release_at_ms, release_at_ms, size, None)


@given(st.lists(st.integers(0, LOOK_AHEAD_MS), max_size=60), st.integers(1, 7))
def test_every_record_is_released_on_time_and_in_order(stretches: list[int], step: int) -> None:
    """RULES 19, 21: reading until a look-ahead past the last one read never misses a release, whatever the last stretch."""
    log = [record(offset, 10_000 + offset * 300 - stretch) for offset, stretch in enumerate(stretches)]
    held, position, out = HeldPartition(LOOK_AHEAD_MS), 0, []
    for now_ms in range(0, 40_000, 100):
        while position < len(log) and held.wants_more(now_ms):
            for next_record in log[position : position + step]:
                held.take(next_record)
            position += step
        released = held.release(now_ms, 1_000)
        assert released == sorted(released, key=lambda one: (one.release_at_ms, one.offset))
        out += [(one, now_ms) for one in released]
    assert len(out) == len(log)
    assert all(0 <= now_ms - one.release_at_ms < 100 or one.release_at_ms < 0 for one, now_ms in out)


def test_bounds_on_records_and_bytes() -> None:
    """RULES 19: what is kept is bounded; room comes back with each release."""
    by_count = HeldPartition(LOOK_AHEAD_MS, max_records=2, max_bytes=10_000)
    by_bytes = HeldPartition(LOOK_AHEAD_MS, max_records=100, max_bytes=200)
    for held in (by_count, by_bytes):
        held.take(record(0, 10))
        assert held.wants_more(10)
        held.take(record(1, 11))
        assert not held.wants_more(10)
        assert len(held.release(10, 5)) == 1
        assert (len(held), held.wants_more(10)) == (1, True)


def test_reading_stops_a_look_ahead_past_now() -> None:
    """The next record may leave up to a look-ahead before the last one read."""
    held = HeldPartition(LOOK_AHEAD_MS)
    assert held.wants_more(0)
    held.take(record(0, LOOK_AHEAD_MS))
    assert held.wants_more(0)
    held.take(record(1, LOOK_AHEAD_MS + 1))
    assert not held.wants_more(0)
    assert held.wants_more(1)


def test_release_takes_no_more_than_asked_and_nothing_early() -> None:
    """A round has a limit, and a time."""
    held = HeldPartition(LOOK_AHEAD_MS)
    assert held.next_release_ms() is None
    for offset in range(5):
        held.take(record(offset, 100))
    assert held.release(99, 10) == []
    assert [one.offset for one in held.release(100, 3)] == [0, 1, 2]
    assert (len(held), held.next_release_ms()) == (2, 100)
