"""A task's entry as the changelog keeps it, and which of two entries counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.entry import ENTRY_BYTES, MOVED, PRE_ENTRY, Entry, pack, supersedes, unpack
from streamer.core.lifecycle import State

U32 = st.integers(0, 2**32 - 1)
ENTRIES = st.builds(
    Entry,
    generation=U32,
    epoch=U32,
    attempt=U32,
    state=st.sampled_from(State),
    flags=st.sampled_from([0, PRE_ENTRY, MOVED]),
    updated_s=U32,
    due_s=U32,
    content=st.binary(min_size=8, max_size=8),
    lane=U32,
    request_partition=st.integers(0, 2**16 - 1),
    request_offset=st.integers(0, 2**48 - 1),
    command=U32,
)
FEW = st.builds(
    Entry,
    generation=st.integers(1, 2),
    epoch=st.integers(1, 2),
    attempt=st.integers(0, 2),
    state=st.sampled_from([State.SCHEDULED, State.RETRYING, State.SUCCEEDED, State.FAILED]),
    flags=st.just(0),
    updated_s=st.just(0),
    due_s=st.just(0),
    content=st.just(bytes(8)),
    lane=st.just(0),
    request_partition=st.just(0),
    request_offset=st.just(0),
)


def entry(generation: int = 1, epoch: int = 1, attempt: int = 1, state: State = State.RETRYING) -> Entry:
    return Entry(generation, epoch, attempt, state, 0, 0, 0, bytes(8), 0, 0, 0)


@given(ENTRIES)
def test_what_is_packed_is_unpacked(entry: Entry) -> None:
    """RULES 27: every entry survives the changelog, in at most 48 bytes."""
    packed = pack(entry)
    assert len(packed) == ENTRY_BYTES <= 48
    assert unpack(packed) == entry


@pytest.mark.parametrize("value", [b"", bytes(ENTRY_BYTES - 1), bytes(ENTRY_BYTES + 1)])
def test_other_lengths_are_refused(value: bytes) -> None:
    """A record of another layout is no entry, and the message says the length."""
    with pytest.raises(ValueError, match=str(ENTRY_BYTES)):
        unpack(value)


def test_unknown_state_is_refused() -> None:
    """Bytes that name no state are no entry."""
    with pytest.raises(ValueError, match="State"):
        unpack(bytes(ENTRY_BYTES))


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (entry(generation=1, epoch=2, attempt=1), entry(generation=2, epoch=1, attempt=5, state=State.SUCCEEDED)),
        (entry(generation=2, attempt=0), entry(generation=1, attempt=9, state=State.FAILED)),
        (entry(attempt=2), entry(attempt=1, state=State.FAILED)),
        (entry(state=State.SUCCEEDED), entry(state=State.RETRYING)),
    ],
    ids=["owner generation", "task generation", "attempt", "terminal before open"],
)
def test_order_of_entries(new: Entry, old: Entry) -> None:
    """RULES 4: owner generation, then task generation, then attempt, then terminal before open."""
    assert supersedes(new, old)
    assert not supersedes(old, new)


@given(FEW, FEW, FEW)
def test_order_is_total_and_transitive(a: Entry, b: Entry, c: Entry) -> None:
    """Of two entries one counts, whichever is read first; equal ones may replace each other."""
    assert supersedes(a, b) or supersedes(b, a)
    assert supersedes(a, a)
    if supersedes(a, b) and supersedes(b, c):
        assert supersedes(a, c)


@given(st.lists(FEW, min_size=1, max_size=6))
def test_recovery_does_not_depend_on_the_order_of_late_writes(entries: list[Entry]) -> None:
    """RULES 4: whatever order the writes of two owners landed in, the entry that stays has the highest rank."""
    kept = entries[0]
    for new in entries[1:]:
        kept = new if supersedes(new, kept) else kept
    assert all(supersedes(kept, other) for other in entries)


def test_entry_tells_whether_it_ended_was_made_by_a_command_or_moved() -> None:
    """The questions that stages ask of an entry."""
    assert entry(state=State.EXPIRED).terminal
    assert not entry().terminal
    assert Entry(1, 1, 0, State.CANCELLED, PRE_ENTRY, 0, 0, bytes(8), 0, 0, 0).pre_entry
    assert Entry(2, 1, 0, State.CANCELLED, MOVED, 0, 0, bytes(8), 0, 0, 0).moved
    assert not entry().pre_entry
    assert not entry().moved
