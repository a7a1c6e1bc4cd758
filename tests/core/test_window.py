"""The window of a partition: no commit passes what is unfinished, and nothing else keeps a commit back."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.window import HoleError, Skip, Window


def a_window(start: int = 0, *, unfinished: int = 1_000, bytes_: int = 10**9, span: int = 10**6) -> Window:
    """Return a window with bounds that do not matter, save those given."""
    return Window(start, unfinished, bytes_, span)


def test_a_new_window_commits_where_it_began() -> None:
    """Without records the prefix ends at the position that the partition was assigned at."""
    window = a_window(42)
    assert (window.committable, window.next_offset, window.unfinished, window.drained) == (42, 42, 0, True)


def test_only_the_finished_prefix_is_committable() -> None:
    """A record finished out of order moves nothing until all before it are finished."""
    window = a_window(10)
    for offset in range(10, 14):
        assert window.take(offset, 100)
    window.finish(11)
    window.finish(12)
    assert (window.committable, window.unfinished, window.unfinished_bytes) == (10, 2, 200)
    window.finish(10)
    assert window.committable == 13
    window.finish(13)
    assert (window.committable, window.unfinished_bytes, window.drained) == (14, 0, True)


def test_finishing_twice_changes_nothing() -> None:
    """A late task of ours may finish what was finished; bytes are given back once."""
    window = a_window()
    window.take_many(0, [100, 200])
    window.finish(0)
    window.finish(0)
    assert (window.committable, window.unfinished, window.unfinished_bytes) == (1, 1, 200)


def test_finishing_what_was_never_taken_is_a_fault() -> None:
    """An offset from another window must not pass for a finished one."""
    window = a_window()
    window.take(0, 1)
    with pytest.raises(ValueError, match="offset 1 was never taken"):
        window.finish(1)


def test_a_finish_before_the_window_began_changes_nothing() -> None:
    """What an earlier assignment finished is no business of this one."""
    window = a_window(10)
    window.take(10, 1)
    window.finish(9)
    assert (window.committable, window.unfinished) == (10, 1)


@pytest.mark.parametrize("missing", [1, 2, 1_000])
def test_a_hole_is_a_fault_and_changes_nothing(missing: int) -> None:
    """Records that were never handed out must not be committed; the error says where to read again."""
    window = a_window(5)
    window.take(5, 1)
    with pytest.raises(HoleError, match=f"expected offset 6, found {6 + missing}") as caught:
        window.take(6 + missing, 1)
    assert (caught.value.expected, caught.value.found) == (6, 6 + missing)
    with pytest.raises(HoleError, match=f"expected offset 6, found {6 + missing}"):
        window.take_many(6 + missing, [1, 1])
    assert (window.next_offset, window.unfinished) == (6, 1)
    window.finish(5)
    assert window.committable == 6


def test_a_record_read_again_is_not_taken_again() -> None:
    """After a seek back, what is in flight or finished is refused, so that it is not handed out twice."""
    window = a_window()
    window.take_many(0, [10, 10])
    window.finish(0)
    assert [window.take(offset, 10) for offset in (0, 1, 2)] == [False, False, True]
    assert (window.committable, window.unfinished, window.unfinished_bytes) == (1, 2, 20)


@pytest.mark.parametrize(
    ("first", "count", "known", "next_offset"),
    [(3, 2, 0, 5), (3, 0, 0, 3), (1, 4, 2, 5), (0, 3, 3, 3), (0, 2, 2, 3)],
)
def test_a_batch_that_overlaps_is_taken_from_its_first_new_record(
    first: int, count: int, known: int, next_offset: int
) -> None:
    """A batch tells how many of its records are known, and the others are taken with their own sizes."""
    window = a_window()
    window.take_many(0, [1, 1, 1])
    assert window.take_many(first, [100 + n for n in range(count)]) == known
    assert window.next_offset == next_offset
    assert window.unfinished_bytes == 3 + sum(100 + n for n in range(known, count))


def test_a_log_that_begins_later_is_skipped_to() -> None:
    """Records that are gone count as seen, the skip is noted, and what is in flight holds the commit."""
    window = a_window(10)
    window.take(10, 1)
    assert window.skip_to(100, "retention") == 89
    assert window.last_skip == Skip(11, 100, "retention")
    assert window.committable == 10
    window.finish(10)
    assert window.committable == 100
    assert window.take(100, 1)
    assert window.committable == 100


def test_a_skip_by_nothing_is_no_skip() -> None:
    """Where the log begins at the next offset, nothing is lost and nothing noted."""
    window = a_window(10)
    assert window.skip_to(10, "retention") == 0
    assert window.last_skip is None


def test_a_window_never_goes_back() -> None:
    """A skip back would hand out what is in flight."""
    window = a_window(10)
    with pytest.raises(ValueError, match="cannot skip back to offset 9"):
        window.skip_to(9, "retention")


def test_a_window_is_full_by_count() -> None:
    """Unfinished records count, finished ones do not."""
    window = a_window(unfinished=2)
    window.take(0, 1)
    seen = [window.full]
    window.take(1, 1)
    seen.append(window.full)
    window.finish(1)
    seen.append(window.full)
    assert seen == [False, True, False]


def test_a_window_is_full_by_bytes() -> None:
    """A few large records fill a window as well as many small ones."""
    window = a_window(bytes_=1_000)
    window.take(0, 999)
    seen = [window.full]
    window.take(1, 1)
    seen.append(window.full)
    window.finish(0)
    seen.append(window.full)
    assert seen == [False, True, False]


def test_a_window_is_full_by_span() -> None:
    """However few are unfinished, no more than the span is read again after a crash."""
    window = a_window(span=100)
    window.take_many(0, [1] * 99)
    for offset in range(1, 99):
        window.finish(offset)
    seen = [window.full]
    window.take(99, 1)
    seen.append(window.full)
    window.finish(0)
    seen.append(window.full)
    assert seen == [False, True, False]


def test_a_full_window_still_takes_what_was_read() -> None:
    """A batch that is here already is not thrown away: nobody would read it again."""
    window = a_window(unfinished=1)
    window.take_many(0, [1] * 5)
    assert window.full
    assert window.take(5, 1)
    assert window.unfinished == 6


def test_one_stuck_record_keeps_the_commit_but_not_the_others() -> None:
    """Behind a call of 30 s 200,000 others pass, in memory that does not grow with them."""
    window = a_window(unfinished=20_000)
    window.take(0, 300)
    sizes = [300] * 1_000
    tracemalloc.start()
    try:
        for first in range(1, 200_000, 1_000):
            assert not window.full
            window.take_many(first, sizes)
            for offset in range(first, first + 1_000):
                window.finish(offset)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < 100_000
    assert (window.committable, window.unfinished) == (0, 1)
    window.finish(0)
    assert window.committable == window.next_offset == 200_001


def test_a_late_finish_of_an_old_assignment_leaves_the_new_window_alone() -> None:
    """Each assignment has its own window, and a task keeps the one that it was read under."""
    old, new = a_window(), a_window()
    for window in (old, new):
        window.take_many(0, [1, 1])
    old.finish(0)
    old.finish(1)
    assert (old.committable, new.committable) == (2, 0)


def test_a_window_tells_its_state() -> None:
    """The repr has what one wants to know of a partition that stands still."""
    window = a_window(7, unfinished=2)
    window.take_many(7, [5, 6, 7])
    window.finish(7)
    assert repr(window) == "<Window committable=8 next=10 unfinished=2 bytes=13 full>"


@given(st.integers(0, 2**62), st.permutations(range(40)))
def test_all_finished_means_all_committable(start: int, order: list[int]) -> None:
    """In whatever order records finish, none of them keeps the commit back in the end."""
    window = a_window(start)
    window.take_many(start, [1] * len(order))
    for n, index in enumerate(order):
        assert window.committable == start + min(order[n:])
        window.finish(start + index)
    assert window.committable == window.next_offset == start + len(order)
    assert window.drained
