"""The table in memory: what recovery makes of a changelog, and the order of what has ended (RULES 4)."""

from __future__ import annotations

import tracemalloc
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.entry import Entry, pack, supersedes
from streamer.core.lifecycle import State
from tests.adapters.store.samples import digest, entry

ONE, TWO, THREE = digest(1), digest(2), digest(3)

_changes = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.none()
        | st.builds(
            entry,
            st.integers(1, 3),
            generation=st.integers(1, 2),
            epoch=st.integers(1, 3),
            state=st.sampled_from([State.RETRYING, State.SUCCEEDED]),
        ),
    ),
    max_size=30,
)


def recovered(changes: list[tuple[bytes, Entry | None]]) -> MemoryTable:
    """Return a table that has read these records of a changelog."""
    table = MemoryTable()
    for key, value in changes:
        table.recover(key, pack(value) if value is not None else None)
    return table


def test_a_newer_attempt_takes_the_place() -> None:
    """Within one owner's generation the later attempt stands."""
    assert recovered([(ONE, entry(1)), (ONE, entry(2))]).get(ONE) == entry(2)


def test_a_zombies_late_write_changes_nothing() -> None:
    """What an owner of an older generation wrote late does not undo its successor's entry, however far it had come."""
    ours = entry(2, epoch=5)
    assert recovered([(ONE, ours), (ONE, entry(4, epoch=4, state=State.FAILED))]).get(ONE) == ours


def test_what_the_changelog_says_last_and_does_not_hold_is_noted() -> None:
    """It is to be written again, until a record that holds comes after it."""
    late, ours = entry(4, epoch=4), entry(2, epoch=5)
    table = recovered([(ONE, ours), (ONE, late), (TWO, late), (TWO, ours), (THREE, ours), (THREE, late), (THREE, None)])
    assert table.outranked == {ONE}
    table.recover(ONE, pack(entry(3, epoch=6)))
    assert table.outranked == set()


def test_the_owners_generation_stands_above_the_tasks() -> None:
    """Whoever came later had not read the command's entry, and ended the task without it: that holds, wherever it landed."""
    late, ended = entry(0, generation=2, epoch=4), entry(1, generation=1, epoch=5, state=State.SUCCEEDED)
    assert recovered([(ONE, late), (ONE, ended)]).get(ONE) == ended
    table = recovered([(ONE, ended), (ONE, late)])
    assert (table.get(ONE), table.outranked) == (ended, {ONE})


def test_an_end_is_not_reopened() -> None:
    """An open entry of the same rank does not take a terminal one's place, whichever came first."""
    end, still_open = entry(2, state=State.SUCCEEDED), entry(2)
    assert recovered([(ONE, end), (ONE, still_open)]).get(ONE) == end
    assert recovered([(ONE, still_open), (ONE, end)]).get(ONE) == end


def test_a_tombstone_removes_whatever_stood() -> None:
    """Open and ended entries go alike, and what comes after a tombstone is kept."""
    table = recovered([(ONE, entry(1)), (TWO, entry(1, state=State.FAILED)), (ONE, None), (TWO, None), (THREE, None)])
    assert (len(table), table.get(ONE), table.get(TWO)) == (0, None, None)
    table.recover(ONE, pack(entry(1, epoch=1)))
    assert table.get(ONE) == entry(1, epoch=1)


def test_a_table_that_forgets_as_many_as_end_does_not_grow() -> None:
    """As an hour's entries roll on for many hours: what has gone leaves no dead places behind that fill up slowly."""
    table, ended, sizes = MemoryTable(), deque[int](), list[int]()
    tracemalloc.start()
    try:
        for number in range(60_000):
            table.put(digest(number), entry(1, state=State.SUCCEEDED))
            ended.append(number)
            if len(ended) > 10_000:
                table.forget(digest(ended.popleft()))
            if number >= 20_000 and number % 1_000 == 0:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert [key for key, _ in table.ended()] == [digest(number) for number in ended]
    assert max(sizes) < 1.15 * min(sizes)


def test_ended_entries_come_in_the_order_of_their_ends() -> None:
    """The sweep looks at the first: it must be the one that ended first, not the one that was made first."""
    table = MemoryTable()
    for key in (ONE, TWO, THREE):
        table.put(key, entry(1))
    for key in (TWO, THREE, ONE):
        table.put(key, entry(1, state=State.SUCCEEDED))
    assert [key for key, _ in table.ended()] == [TWO, THREE, ONE]
    assert list(table.open()) == []
    table.put(TWO, entry(1, generation=2))
    assert [key for key, _ in table.ended()] == [THREE, ONE]
    assert list(table.open()) == [(TWO, entry(1, generation=2))]
    assert list(table.due_s()) == [entry(1).due_s]
    table.forget(THREE)
    assert [key for key, _ in table.ended()] == [ONE]
    assert len(table) == 2


def test_the_epoch_is_the_highest_seen() -> None:
    """The next owner's generation must be above every one that has written here."""
    table = recovered([(ONE, entry(1, epoch=3)), (TWO, entry(1, epoch=9)), (THREE, entry(1, epoch=4))])
    assert table.epoch == 9
    table.forget(TWO)
    assert table.epoch == 9


@given(_changes)
def test_recovery_keeps_the_highest_rank_since_the_last_tombstone(changes: list[tuple[int, Entry | None]]) -> None:
    """Whatever the order of writes, each key ends at the entry that none since its last tombstone supersedes."""
    table = recovered([(digest(number), value) for number, value in changes])
    for number in (1, 2, 3):
        expected: Entry | None = None
        for key, value in changes:
            if key == number:
                expected = value if value is None or expected is None or supersedes(value, expected) else expected
        assert table.get(digest(number)) == expected
    assert len(table) == len(list(table.open())) + len(list(table.ended()))
    assert all(found.terminal for _, found in table.ended())
    assert not any(found.terminal for _, found in table.open())
