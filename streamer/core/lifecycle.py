"""The states of a task and the moves between them, as data; the diagram in the docs is made from this table.

Must not know what causes a move.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType


class State(IntEnum):
    """A task's state; the number is what the changelog stores, so none is ever used for another state."""

    PENDING = 1
    SCHEDULED = 2
    PROCESSING = 3
    RETRYING = 4
    SUCCEEDED = 10
    FAILED = 11
    CANCELLED = 12
    EXPIRED = 13
    REJECTED = 14

    @property
    def word(self) -> str:
        """The state's name in records."""
        return self.name.lower()


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED, State.REJECTED})

_ENDS = (State.CANCELLED, State.EXPIRED)

#: From a state to those that may follow it within one generation. Terminal states have no successor.
TRANSITIONS: MappingProxyType[State, frozenset[State]] = MappingProxyType(
    {
        State.PENDING: frozenset({State.SCHEDULED, State.PROCESSING, State.REJECTED, *_ENDS}),
        State.SCHEDULED: frozenset({State.SCHEDULED, State.PROCESSING, *_ENDS}),
        State.PROCESSING: frozenset({State.RETRYING, State.SUCCEEDED, State.FAILED, *_ENDS}),
        State.RETRYING: frozenset({State.RETRYING, State.PROCESSING, *_ENDS}),
        **{state: frozenset() for state in TERMINAL},
    }
)


def may_follow(before: State, after: State) -> bool:
    """Tell whether ``after`` may follow ``before`` within one generation."""
    return after in TRANSITIONS[before]


def mermaid() -> str:
    """Return the table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.PENDING.word}"]
    for before, successors in sorted(TRANSITIONS.items()):
        lines += [f"    {before.word} --> {after.word}" for after in sorted(successors)]
        if before in TERMINAL:
            lines.append(f"    {before.word} --> [*]")
    return "\n".join(lines) + "\n"
