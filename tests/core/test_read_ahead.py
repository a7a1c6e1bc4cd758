"""Reading ahead: bounded to a while of work, but only while CPU is short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.read_ahead import LOOK_MS, ReadAhead

NOW_MS = 1_000_000.0


def looked(per_s: int, share: float, looks: int = 40) -> ReadAhead:
    """Return one that has looked often at a process that finishes ``per_s`` a second."""
    ahead = ReadAhead()
    for number in range(looks):
        ahead.look(NOW_MS + number * LOOK_MS, share, number * per_s * LOOK_MS // 1000)
    return ahead


def test_with_cpu_to_spare_everything_is_read() -> None:
    """Nothing in hand is too much while the process could do more: lanes decide then what waits where."""
    assert not looked(2_000, 0.7).enough(10**6, 10**10)


def test_short_of_cpu_a_while_of_work_is_enough() -> None:
    """At 2,000 a second a second and a half of work is read, and no more."""
    ahead = looked(2_000, 0.97)
    assert (ahead.enough(2_900, 0), ahead.enough(3_100, 0)) == (False, True)


def test_a_few_may_always_be_in_hand() -> None:
    """A process that finishes next to nothing still has a thousand in hand, so that its calls go side by side."""
    ahead = looked(0, 1.0)
    assert (ahead.enough(999, 10**10), ahead.enough(1_000, 0)) == (False, True)


def test_large_records_count_by_their_bytes() -> None:
    """What is large is bounded by its bytes, far below what a lane would put off."""
    ahead = looked(100_000, 1.0)
    assert (ahead.enough(2_000, 6 * 1024 * 1024 - 1), ahead.enough(2_000, 6 * 1024 * 1024)) == (False, True)


def test_it_reads_on_once_cpu_is_to_spare() -> None:
    """What waits for slow targets keeps no partition from being read: the process is idle then, and says so."""
    ahead = looked(2_000, 0.97)
    assert ahead.enough(10_000, 0)
    ahead.look(NOW_MS + 41 * LOOK_MS, 0.79, 10**6)
    assert not ahead.enough(10_000, 0)


def test_it_does_not_flap() -> None:
    """Once short of CPU, it takes more than a little to spare to be so no more."""
    ahead = looked(2_000, 0.97)
    ahead.look(NOW_MS + 41 * LOOK_MS, 0.85, 10**6)
    assert ahead.short
    assert not looked(2_000, 0.85).short


def test_a_new_assignment_counts_anew() -> None:
    """Fewer finished than before, as after a rebalance, is no negative rate."""
    ahead = looked(2_000, 0.97)
    ahead.look(NOW_MS + 41 * LOOK_MS, 0.97, 0)
    assert ahead.enough(3_100, 0)
    assert not ahead.enough(999, 0)


@given(
    st.lists(st.tuples(st.integers(LOOK_MS, 5_000), st.floats(0, 1.5), st.integers(0, 10**6)), max_size=30),
    st.integers(0, 10**6),
    st.integers(0, 10**9),
)
def test_more_in_hand_is_never_less_enough(looks: list[tuple[int, float, int]], unfinished: int, size: int) -> None:
    """Whatever it has seen: what is enough stays enough with more in hand, and nothing is while CPU is to spare."""
    ahead, now_ms = ReadAhead(), NOW_MS
    for passed_ms, share, finished in looks:
        now_ms += passed_ms
        ahead.look(now_ms, share, finished)
    enough = ahead.enough(unfinished, size)
    assert not enough or (ahead.short and ahead.enough(unfinished + 1, size) and ahead.enough(unfinished, size + 1))


def test_it_is_looked_at_now_and_then() -> None:
    """A look is due a quarter of a second after the last one."""
    ahead = ReadAhead()
    ahead.look(NOW_MS, 0.5, 0)
    assert (ahead.due(NOW_MS + LOOK_MS - 1), ahead.due(NOW_MS + LOOK_MS)) == (False, True)
