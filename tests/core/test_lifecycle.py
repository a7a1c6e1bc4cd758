"""The table of states: closed, with ends that stay ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.lifecycle import TERMINAL, TRANSITIONS, State, may_follow, mermaid

STORED_NUMBERS = {
    State.PENDING: 1,
    State.SCHEDULED: 2,
    State.PROCESSING: 3,
    State.RETRYING: 4,
    State.SUCCEEDED: 10,
    State.FAILED: 11,
    State.CANCELLED: 12,
    State.EXPIRED: 13,
    State.REJECTED: 14,
}


def test_the_numbers_of_states_never_change() -> None:
    """Changelogs hold these numbers; another meaning would turn old entries into other states."""
    assert {state: state.value for state in State} == STORED_NUMBERS


def test_the_table_is_closed() -> None:
    """Every state has a row, and every successor is a state."""
    assert set(TRANSITIONS) == set(State)
    assert all(isinstance(after, State) for row in TRANSITIONS.values() for after in row)


def test_exactly_the_terminal_states_have_no_successor() -> None:
    """An end is an end within its generation, and nothing else is one."""
    assert {state for state, successors in TRANSITIONS.items() if not successors} == TERMINAL


def test_every_open_state_can_be_cancelled_and_can_expire() -> None:
    """No state keeps a task from its owner's cancel or from its expiry."""
    for state in set(State) - TERMINAL:
        assert may_follow(state, State.CANCELLED)
        assert may_follow(state, State.EXPIRED)


def test_only_a_pending_task_can_be_rejected() -> None:
    """What was accepted is not rejected later."""
    assert [state for state in State if may_follow(state, State.REJECTED)] == [State.PENDING]


def test_only_an_attempt_leads_to_success_or_failure() -> None:
    """Being made to wait neither delivers a task nor fails it."""
    for end in (State.SUCCEEDED, State.FAILED):
        assert [state for state in State if may_follow(state, end)] == [State.PROCESSING]


def test_every_state_is_reached_from_pending() -> None:
    """No row of the table is dead."""
    reached, open_states = {State.PENDING}, [State.PENDING]
    while open_states:
        found = TRANSITIONS[open_states.pop()] - reached
        reached |= found
        open_states += found
    assert reached == set(State)


@given(st.lists(st.sampled_from(list(State)), max_size=60))
def test_a_task_has_at_most_one_end(wanted: list[State]) -> None:
    """Whatever moves are tried, in whatever order, only the last move made can lead to an end."""
    path = [State.PENDING]
    for state in wanted:
        if may_follow(path[-1], state):
            path.append(state)
    assert not TERMINAL & set(path[:-1])


def test_the_diagram_shows_each_move_once() -> None:
    """The diagram has one arrow for each move of the table, one into it, and one out of each end."""
    lines = mermaid().splitlines()
    moves = {f"    {a.word} --> {b.word}" for a, successors in TRANSITIONS.items() for b in successors}
    exits = {f"    {state.word} --> [*]" for state in TERMINAL}
    assert lines[0] == "stateDiagram-v2"
    assert len(lines) == len(set(lines))
    assert set(lines[1:]) == moves | exits | {"    [*] --> pending"}
